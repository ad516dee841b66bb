"""Writes what a repository sends into a file, or reads it, and never more than was announced."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from stellwerk.errors import ProviderUnavailable, StellwerkError
from stellwerk.providers.repositories.protocol import Entry, Progress
from stellwerk.providers.repositories.refusals import archive_refused, repository_damaged


class Content(Protocol):
    """What a repository sends: at most so many bytes at once, none at its end."""

    def read(self, amount: int, /) -> bytes:
        """The next bytes."""


PART_BYTES = 256 * 1024


def received(source: Content, most_bytes: int, name: str) -> bytes:
    """All of it; raises ProviderRejected (REPOSITORY_DAMAGED) for more than `most_bytes`."""
    found = bytearray()
    while part := source.read(PART_BYTES):
        found += part
        if len(found) > most_bytes:
            raise repository_damaged("too_large", f"{name} has more than {most_bytes} bytes")
    return bytes(found)


def store(source: Content, entry: Entry, target: Path, progress: Progress) -> None:
    """Write beside `target`, then rename; what an earlier one left there is overwritten.

    Raises ProviderRejected (MODULE_ARCHIVE_REFUSED) for more than the entry says.
    """
    beside = target.with_name(f".{target.name}.part")
    with _removed(beside):
        target.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            for written, part in _counted(source, entry):
                file.write(part)
                progress(written / entry.size_bytes)
        beside.replace(target)


def _counted(source: Content, entry: Entry) -> Iterator[tuple[int, bytes]]:
    written = 0
    while part := source.read(PART_BYTES):
        written += len(part)
        if written > entry.size_bytes:
            told = f"it has more than the {entry.size_bytes} bytes that the index names"
            raise archive_refused("larger_than_listed", told)
        yield written, part


@contextmanager
def _removed(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def disk_told(what: str) -> Iterator[None]:
    """Errors of this machine's disk become ours."""
    try:
        yield
    except StellwerkError:
        raise
    except OSError as exc:
        raise ProviderUnavailable(f"{what}: {exc.strerror or exc}.") from exc
