"""Who listens on a port of this machine, as /proc/net tells it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTEN = "0A"
ADDRESS, STATE, UID = 1, 3, 7  # columns


def listeners(port: int) -> set[int]:
    """The users (uid) of all sockets that wait for connections there; empty also if untold."""
    return {int(row[UID]) for row in _rows() if row[STATE] == LISTEN and _port(row) == port}


def _rows() -> Iterator[list[str]]:
    for table in TABLES:
        with suppress(OSError), table.open() as file:
            next(file, "")  # names of the columns
            yield from (line.split() for line in file)


def _port(row: list[str]) -> int:
    return int(row[ADDRESS].rpartition(":")[2], 16)
