"""Hostile archives are refused, each with its own error; nothing is left, and nothing started."""

import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import archives
from installations import NOTHING, Installations
from module_repositories import ServerModule, make_repository
from stellwerk.providers.repositories.index import INDEX, INDEX_SIGNATURE, parsed, written
from stellwerk.providers.repositories.signatures import SigningKey, archive_message

HOSTILE: Mapping[str, Callable[[], bytes]] = {
    "absolute": lambda: archives.packed(archives.file("/etc/passwd")),
    "upwards": lambda: archives.packed(archives.file("../outside")),
    "symlink": lambda: archives.packed(archives.special(tarfile.SYMTYPE, "out", "/etc")),
    "hardlink": lambda: archives.packed(archives.special(tarfile.LNKTYPE, "out", "/etc/passwd")),
    "device": lambda: archives.packed(archives.special(tarfile.CHRTYPE, "null", device=(1, 3))),
    "bomb": archives.bomb,
    "many": archives.many_files,
    "truncated": lambda: archives.packed(archives.file("half", b"x" * 9000))[:-40],
    "renamed": lambda: archives.packed(first=archives.manifest("somebody-else")),
}


def hostile_repository(folder: Path) -> Path:
    folder.mkdir()
    entries = []
    for name, make in HOSTILE.items():
        archive = folder / f"{name}-1.0.0.tar.gz"
        archive.write_bytes(make())
        entries.append(archives.entry_of(archive, name))
    (folder / "index.json").write_bytes(written(entries))
    document = json.loads((folder / "index.json").read_bytes())
    wrong = dict(document["modules"][0], name="changed", file="symlink-1.0.0.tar.gz")
    wrong["size"] = (folder / wrong["file"]).stat().st_size
    document["modules"].append(wrong)
    (folder / "index.json").write_text(json.dumps(document))
    return folder


def falsely_signed_repository(folder: Path, ours: SigningKey) -> Path:
    """Its index is signed by us, and names an archive with somebody else's signature."""
    make_repository(folder, ServerModule("forged"), key=ours)
    (entry,) = parsed((folder / INDEX).read_bytes()).entries
    message = archive_message(entry.name, entry.version, entry.sha256)
    index = written([replace(entry, signature=SigningKey.new().sign(message))])
    (folder / INDEX).write_bytes(index)
    (folder / INDEX_SIGNATURE).write_text(ours.sign(index))
    return folder


def test_each_hostile_archive_is_refused_with_an_error_of_its_own(
    modules: Installations, tmp_path: Path
) -> None:
    modules.offer(hostile_repository(tmp_path / "hostile"))
    names = [*HOSTILE, "changed"]
    jobs = modules.ended(*(modules.submit("install", module_name=name) for name in names))
    errors = {name: job.error or {} for name, job in zip(names, jobs, strict=True)}
    assert [job.status for job in jobs] == ["failed"] * len(jobs)
    codes = {name: error["code"] for name, error in errors.items()}
    assert codes.pop("changed") == "MODULE_CHECKSUM_WRONG", errors
    assert set(codes.values()) == {"MODULE_ARCHIVE_REFUSED"}, errors
    assert len({error["message"] for error in errors.values()}) == len(names)
    assert [name for name in names if modules.there(name) != NOTHING] == []
    assert modules.is_tidy()


def test_an_archive_that_another_signed_is_refused(modules: Installations, tmp_path: Path) -> None:
    ours = SigningKey.new()
    folder = falsely_signed_repository(tmp_path / "forged", ours)
    modules.offer(folder, public_key=ours.public_key)
    (job,) = modules.ended(modules.submit("install", module_name="forged"))
    assert job.error
    assert job.error["code"] == "MODULE_SIGNATURE_WRONG", job.error
    assert modules.there("forged") == NOTHING
    assert modules.is_tidy()
