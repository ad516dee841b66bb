import os
from pathlib import Path

import pytest

from stellwerk.providers.services.process.ownership import give_data
from stellwerk.providers.services.removal import remove_tree
from stellwerk.providers.services.tree import FOLDER

DEPTH = 1500
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files away")


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """Deeper than Python recurses, and with a path longer than the kernel takes."""
    top = tmp_path / "deep"
    top.mkdir()
    handle = os.open(top, FOLDER)
    for _ in range(DEPTH):
        os.mkdir("below", dir_fd=handle)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
        lower = os.open("below", FOLDER, dir_fd=handle)
        os.close(handle)
        handle = lower
    os.close(handle)
    return top


def test_a_folder_is_removed_however_deep_it_is(deep: Path) -> None:
    remove_tree(deep)
    remove_tree(deep)

    assert not deep.exists()


def test_where_links_lead_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "gone").mkdir()
    for link in (tmp_path / "gone" / "link", tmp_path / "link"):
        link.symlink_to(tmp_path / "kept")

    remove_tree(tmp_path / "gone")
    remove_tree(tmp_path / "link")

    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]


def test_what_cannot_be_removed_is_told() -> None:
    with pytest.raises(OSError, match="/proc/self/fdinfo"):
        remove_tree(Path("/proc/self/fdinfo"))  # the kernel's, for nobody to remove


@as_root
def test_data_are_handed_over_however_deep_they_are(deep: Path) -> None:
    os.chown(deep, 12345, 12345)
    os.chown(deep / "below", 12345, 12345)

    give_data(deep, 12346)

    assert (deep / "below").stat().st_uid == 12346
    assert (deep / "below" / "below").stat().st_uid == 0
    remove_tree(deep)
