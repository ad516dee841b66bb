"""Goes through a folder that somebody else filled: however deep it is, and into no link."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Entry:
    """Something below the folder; `handle` is of the folder it lies in, open until the next one."""

    handle: int
    name: str
    facts: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is one itself, and no link to one."""
        return stat.S_ISDIR(self.facts.st_mode)


def entries_below(folder: Path) -> Iterator[Entry]:
    """Everything in it, what is in a folder before the folder itself.

    One folder is open at a time, and no path is ever made: both have limits that a tree may pass.
    """
    handle = os.open(folder, FOLDER)
    names, above = _names(handle), list[tuple[Entry, os.stat_result, list[str]]]()
    try:
        while names or above:
            if not names:
                done, upper, names = above.pop()
                handle = _instead(handle, _opened_above(handle, upper))
                yield Entry(handle, done.name, done.facts)
                continue
            entry = _entry(handle, names.pop())
            if entry and not entry.is_folder:
                yield entry
            elif entry:
                above.append((entry, os.fstat(handle), names))
                handle = _instead(handle, os.open(entry.name, FOLDER, dir_fd=handle))
                names = _names(handle)
    finally:
        os.close(handle)


def _names(handle: int) -> list[str]:
    return os.listdir(handle)


def _entry(handle: int, name: str) -> Entry | None:
    with suppress(FileNotFoundError):  # somebody else was faster
        return Entry(handle, name, os.stat(name, dir_fd=handle, follow_symlinks=False))
    return None


def _opened_above(handle: int, expected: os.stat_result) -> int:
    above = os.open("..", FOLDER, dir_fd=handle)
    if os.path.samestat(os.fstat(above), expected):
        return above
    os.close(above)
    raise OSError(errno.ESTALE, "was moved while it was gone through")


def _instead(old: int, new: int) -> int:
    os.close(old)
    return new
