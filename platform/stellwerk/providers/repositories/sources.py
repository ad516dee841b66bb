"""What each kind of repository gives, before anything about it is believed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stellwerk.providers.repositories.protocol import Entry, Progress


@dataclass(frozen=True, slots=True)
class Fetched:
    """An index as it came, with its signature where that was asked for."""

    content: bytes
    signature: bytes
    etag: str | None


class Reading(Protocol):
    """One repository."""

    def fetch(self, etag: str | None, *, signed: bool) -> Fetched | None:
        """The index; None where it is still that of `etag`."""

    def download(self, entry: Entry, target: Path, progress: Progress) -> None:
        """Write an archive to `target`: all of it, or nothing."""
