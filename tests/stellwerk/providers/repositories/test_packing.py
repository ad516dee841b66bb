"""What is packed is what is unpacked, and the same files make the same bytes."""

import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archives import BOUNDS
from stellwerk.errors import InvalidInput
from stellwerk.providers.repositories.archives import unpack
from stellwerk.providers.repositories.packing import pack

MANIFEST = {
    "name": "clock",
    "version": "1.0.0",
    "category": "tests",
    "description": "A clock.",
    "command": ["python3", "server.py"],
    "limits": {"memory_mb": 64},
}
Tree = dict[str, tuple[bytes, bool]]  # content, and whether it is a program, by path

# One alphabet for files and another for folders, so that no name is both.
files = st.text("abcäß -_", min_size=1, max_size=60).filter(lambda name: name.strip())
folders = st.lists(st.text("DEFÉ", min_size=1, max_size=60), max_size=4)
paths = st.builds(lambda above, name: "/".join([*above, name]), folders, files)
trees = st.dictionaries(paths, st.tuples(st.binary(max_size=2000), st.booleans()), max_size=8)


def module(folder: Path, tree: Tree | None = None) -> Path:
    for name, (content, is_program) in (tree or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o700 if is_program else 0o600)
    folder.mkdir(exist_ok=True)
    (folder / "module.json").write_text(json.dumps(MANIFEST))
    return folder


def found(folder: Path) -> Tree:
    return {
        f"{path.relative_to(folder)}": (path.read_bytes(), os.access(path, os.X_OK))
        for path in folder.rglob("*")
        if path.is_file() and path.name != "module.json"
    }


@given(trees)
@settings(max_examples=40, deadline=None)
def test_what_is_packed_is_what_is_unpacked(tree: Tree) -> None:
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        packed = pack(module(folder / "module", tree), folder)
        unpack(packed.entry, packed.path, folder / "release", BOUNDS, lambda _: None)
        assert {name: (c, x) for name, (c, x) in found(folder / "release").items()} == tree


def test_the_same_files_make_the_same_archive_wherever_and_whenever(tmp_path: Path) -> None:
    tree = {"server.py": (b"run", True), "b/a": (b"1", False), "a": (b"2", False)}
    archives = []
    for number, order in enumerate((tree, dict(reversed(tree.items())))):
        folder = module(tmp_path / str(number), order)
        os.utime(folder / "a", (time.time(), number * 1e9))
        target = tmp_path / f"to-{number}"
        target.mkdir()
        archives.append(pack(folder, target).path.read_bytes())
    assert archives[0] == archives[1]


def test_an_entry_says_what_the_manifest_and_the_archive_are(tmp_path: Path) -> None:
    packed = pack(module(tmp_path / "module"), tmp_path)
    entry = packed.entry
    assert (entry.name, entry.version, entry.memory_mb) == ("clock", "1.0.0", 64)
    assert (entry.file, entry.size_bytes) == ("clock-1.0.0.tar.gz", packed.path.stat().st_size)


def test_hidden_files_and_caches_stay_where_they_are(tmp_path: Path) -> None:
    tree = dict.fromkeys(
        (".env", ".git/config", "__pycache__/a.pyc", "b/.hidden", "b/c.pyo", "kept"), (b"x", False)
    )
    packed = pack(module(tmp_path / "module", tree), tmp_path)
    unpack(packed.entry, packed.path, tmp_path / "release", BOUNDS, lambda _: None)
    assert set(found(tmp_path / "release")) == {"kept"}
    assert (tmp_path / "release" / "b").is_dir()


@pytest.mark.parametrize("kind", ["", "RSA ", "OPENSSH ", "ENCRYPTED "])
def test_a_private_key_is_never_packed(kind: str, tmp_path: Path) -> None:
    key = f"# mine\n-----BEGIN {kind}PRIVATE KEY-----\nMC4CAQ".encode()
    folder = module(tmp_path / "module", {"etc/server.pem": (key, False)})
    with pytest.raises(InvalidInput, match=r"etc/server\.pem holds a private key"):
        pack(folder, tmp_path)


def test_links_and_pipes_are_not_packed(tmp_path: Path) -> None:
    folder = module(tmp_path / "module")
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(InvalidInput, match="link is neither a file nor a folder"):
        pack(folder, tmp_path)
    (folder / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(InvalidInput, match="pipe is neither a file nor a folder"):
        pack(folder, tmp_path)


def test_a_folder_without_a_good_manifest_is_no_module(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"is no module: it has no module\.json"):
        pack(tmp_path, tmp_path)
    (tmp_path / "module.json").write_text("{")
    with pytest.raises(InvalidInput, match="cannot be read"):
        pack(tmp_path, tmp_path)
    (tmp_path / "module.json").write_text(json.dumps({**MANIFEST, "name": "call"}))
    with pytest.raises(InvalidInput) as raised:
        pack(tmp_path, tmp_path)
    assert [error.field for error in raised.value.errors] == ["name"]
