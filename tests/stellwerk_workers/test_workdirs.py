"""Attempts' folders: made when asked for, removed with the attempt, swept after dead processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stellwerk_workers.workdirs import YOUNG_S, Workdirs

MAKE_AND_DIE = """
import os, sys
from pathlib import Path
from stellwerk_workers.workdirs import Workdirs
(Workdirs(Path(sys.argv[1])).make() / "half a video").write_text("...")
os._exit(9)
"""


def age(parent: Path) -> None:
    """Let the folders look as if they were made a while ago."""
    then = time.time() - 2 * YOUNG_S
    for home in parent.iterdir():
        os.utime(home, (then, then))


def test_a_folder_is_made_only_when_asked_for_and_removed_after_the_block(tmp_path: Path) -> None:
    workdirs = Workdirs(tmp_path)
    with workdirs.lend():
        assert not list(tmp_path.iterdir())
    with workdirs.lend() as workdir:
        folder = workdir()
        (folder / "file").touch()
        assert workdir() == folder
    assert not folder.exists()
    workdirs.close()
    assert not list(tmp_path.iterdir())


def test_what_a_dead_process_left_is_swept_and_a_living_ones_folder_is_kept(
    tmp_path: Path,
) -> None:
    living = Workdirs(tmp_path)
    kept = living.make()
    command = [sys.executable, "-c", MAKE_AND_DIE, str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == 9  # noqa: S603  our own Python
    assert Workdirs(tmp_path).sweep() == 0  # too young to tell
    age(tmp_path)

    assert Workdirs(tmp_path).sweep() == 1
    assert kept.exists()
    living.close()


def test_a_folder_that_cannot_be_made_is_an_error_of_whoever_asks(tmp_path: Path) -> None:
    workdirs = Workdirs(tmp_path / "missing")
    with workdirs.lend() as workdir, pytest.raises(OSError, match="missing"):
        workdir()
