"""What is unpacked is all there, or nothing of it is; what is hostile never is."""

import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from archives import BOUNDS, HOSTILE, entry_of, file, manifest, packed, special
from stellwerk.errors import ErrorCode, ProviderRejected, ProviderUnavailable, Stopped
from stellwerk.providers.repositories.archives import unpack


def unheeded(share: float) -> None:
    """Nobody looks at the progress."""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for them, apart from what they are unpacked to."""
    return tmp_path_factory.mktemp("archives")


def written(archives: Path, content: bytes) -> Path:
    path = archives / "clock-1.0.0.tar.gz"
    path.write_bytes(content)
    return path


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_by_name_and_leaves_nothing(
    name: str, archives: Path, tmp_path: Path
) -> None:
    hostile = HOSTILE[name]
    archive = written(archives, hostile.content())
    inside = tmp_path / "deep" / "inside"
    with pytest.raises(ProviderRejected) as raised:
        unpack(entry_of(archive), archive, inside / "release", BOUNDS, unheeded)
    assert raised.value.code is ErrorCode.MODULE_ARCHIVE_REFUSED
    assert raised.value.details["reason"] == hostile.reason
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []
    assert list(inside.iterdir()) == []


def test_the_member_that_was_refused_is_named_without_what_no_terminal_should_be_sent(
    archives: Path, tmp_path: Path
) -> None:
    archive = written(archives, packed(file("a\x1b[2J\udcff" + "b" * 300)))
    with pytest.raises(ProviderRejected) as raised:
        unpack(entry_of(archive), archive, tmp_path / "release", BOUNDS, unheeded)
    named = raised.value.details["member"]
    assert (named[:14], len(named), named in raised.value.message) == (r"a\x1b[2J\udcff", 200, True)


def test_files_and_folders_arrive_with_plain_modes_whatever_the_umask_is(
    archives: Path, tmp_path: Path
) -> None:
    members = (
        file("./server.py", b"run", mode=0o6777),
        file("data/deep/table.csv", b"1,2", mode=0o600),
        special(tarfile.DIRTYPE, "empty/"),
        file("läuft/" + "ä" * 90 + ".txt", b"long names travel in extended headers"),
    )
    archive = written(archives, packed(*members))
    shares: list[float] = []
    umask = os.umask(0o077)
    try:
        unpack(entry_of(archive), archive, tmp_path / "m" / "release", BOUNDS, shares.append)
    finally:
        os.umask(umask)
    release = tmp_path / "m" / "release"
    found = {
        f"{path.relative_to(release)}": f"{path.stat().st_mode & 0o7777:o}"
        for path in release.rglob("*")
    }
    assert found == {
        "module.json": "644",
        "server.py": "755",
        "data": "755",
        "data/deep": "755",
        "data/deep/table.csv": "644",
        "empty": "755",
        "läuft": "755",
        "läuft/" + "ä" * 90 + ".txt": "644",
    }
    assert (release.stat().st_mode & 0o7777, (release / "server.py").read_bytes()) == (
        0o755,
        b"run",
    )
    assert (shares == sorted(shares), shares[-1] <= 1, len(shares)) == (True, True, 5)
    assert names(tmp_path / "m") == ["release"]


def test_long_names_as_gnu_writes_them_are_read(archives: Path, tmp_path: Path) -> None:
    path = archives / "gnu.tar.gz"
    long_name = f"{'folder/' * 20}file"
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as tar:
        for name, content in (("module.json", manifest()), (long_name, b"x")):
            source = tmp_path / "source"
            source.write_bytes(content)
            tar.add(source, name)
    unpack(entry_of(path), path, tmp_path / "release", BOUNDS, unheeded)
    assert (tmp_path / "release" / long_name).read_bytes() == b"x"


def test_what_was_there_before_is_replaced_as_a_whole(archives: Path, tmp_path: Path) -> None:
    release = tmp_path / "release"
    for content in (file("old"), file("new")):
        archive = written(archives, packed(content))
        unpack(entry_of(archive), archive, release, BOUNDS, unheeded)
    assert {path.name for path in release.iterdir()} == {"module.json", "new"}
    assert names(tmp_path) == ["release"]


def test_what_a_killed_process_left_beside_it_is_gone_afterwards(
    archives: Path, tmp_path: Path
) -> None:
    left = tmp_path / ".release.unpacking" / "half"
    left.mkdir(parents=True)
    archive = written(archives, packed())
    unpack(entry_of(archive), archive, tmp_path / "release", BOUNDS, unheeded)
    assert names(tmp_path) == ["release"]


def test_whoever_looks_at_the_progress_may_give_up(archives: Path, tmp_path: Path) -> None:
    def stop(_: float) -> None:
        raise Stopped("not now")

    archive = written(archives, packed())
    with pytest.raises(Stopped):
        unpack(entry_of(archive), archive, tmp_path / "release", BOUNDS, stop)
    assert names(tmp_path) == []


def test_a_place_that_cannot_be_written_is_told_as_such(archives: Path, tmp_path: Path) -> None:
    archive = written(archives, packed())
    (tmp_path / "file").touch()
    with pytest.raises(ProviderUnavailable, match="Nothing can be unpacked here"):
        unpack(entry_of(archive), archive, tmp_path / "file" / "release", BOUNDS, unheeded)


@pytest.mark.parametrize("name", ["a zip bomb", "a huge extended header", "headers without end"])
def test_no_archive_takes_more_than_a_few_mib_of_memory(
    name: str, archives: Path, tmp_path: Path
) -> None:
    archive = written(archives, HOSTILE[name].content())
    tracemalloc.start()
    try:
        with pytest.raises(ProviderRejected):
            unpack(entry_of(archive), archive, tmp_path / "release", BOUNDS, unheeded)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 * 1024 * 1024
