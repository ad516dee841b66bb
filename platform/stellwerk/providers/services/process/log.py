"""What a service says: two files at most, each named after where it begins in all that was said.

So a place in a log stays the same place after older lines are gone, and after its keeper changed.
"""

import os
from contextlib import suppress
from pathlib import Path

from stellwerk.providers.services.lines import line_of
from stellwerk.providers.services.protocol import LogPage

PREFIX = "log."
FILE_BYTES = 5 * 1024**2
READ_BYTES = 64 * 1024
PAGE_BYTES = 1024**2  # read at most for one page


class LogWriter:
    """The end at which a keeper writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        begin, path = (_files(folder) or [(0, folder / f"{PREFIX}0")])[-1]
        self._open(begin, path)

    def write(self, content: bytes) -> None:
        """Add to the log; a full disk loses what does not fit, as nobody can be told."""
        with suppress(OSError):
            self._size += os.write(self._handle, content)
        if content:
            self._ends_line = content.endswith(b"\n")
        if self._size >= FILE_BYTES:
            self._rotate()

    def end_line(self) -> None:
        """What comes next begins a line."""
        if not self._ends_line:
            self.write(b"\n")

    def _open(self, begin: int, path: Path) -> None:
        self._handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._begin = begin
        self._size = os.fstat(self._handle).st_size
        self._ends_line = True

    def _rotate(self) -> None:
        begin, full = self._begin + self._size, self._handle
        with suppress(OSError):  # no place for another file: this one grows, by what there is
            self._open(begin, self._folder / f"{PREFIX}{begin}")
            os.close(full)
            for _, path in _files(self._folder)[:-2]:
                path.unlink(missing_ok=True)


def read_page(folder: Path, *, tail: int, after: int | None) -> LogPage:
    """The last whole lines, or the first ones from the place `after` on."""
    files = _files(folder)
    if not files or tail < 1:
        return LogPage((), str(after or 0))
    end = files[-1][0] + _size(files[-1][1])
    first = files[0][0]
    if after is None or not first <= after <= end:
        begin = max(first, end - PAGE_BYTES) if after is None else first
    else:
        begin = after
    return _page(files, begin, tail, is_tail=after is None)


def _page(files: list[tuple[int, Path]], begin: int, most: int, *, is_tail: bool) -> LogPage:
    content = _content(files, begin)
    whole, newline, _ = content.rpartition(b"\n")
    if not newline and len(content) == PAGE_BYTES:
        whole = content  # a part of a longer line; the next page has the next part
    lines = whole.split(b"\n") if whole or newline else []
    end = begin + len(whole) + len(newline)
    if is_tail:
        is_cut = begin > files[0][0]  # most likely within a line
        lines = lines[is_cut:][-most:]
    elif len(lines) > most:
        lines = lines[:most]
        end = begin + sum(len(line) + 1 for line in lines)
    return LogPage([line_of(line) for line in lines], str(end))


def _content(files: list[tuple[int, Path]], begin: int) -> bytes:
    """From `begin` on, a page at most."""
    content = b""
    for start, path in files:
        with suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(max(0, begin - start))
            content += file.read(PAGE_BYTES - len(content))
    return content


def _files(folder: Path) -> list[tuple[int, Path]]:
    """Where each file begins, oldest first."""
    names = [path.name for path in folder.glob(f"{PREFIX}*")]
    begins = sorted(int(name.removeprefix(PREFIX)) for name in names)
    return [(begin, folder / f"{PREFIX}{begin}") for begin in begins]


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
