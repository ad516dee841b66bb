"""What a repository of modules is: an index, and archives named in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from stellwerk.providers.services.protocol import HealthCheck


class SourceKind(StrEnum):
    """How a repository is reached."""

    FILE = "file"
    HTTPS = "https"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a repository is. `location` is a folder, or the URL of one: index.json is in it.

    With `public_key` (Ed25519, base64) the index has to be signed, and with it all it names.
    """

    kind: SourceKind
    location: str
    public_key: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A version of a module, as its index names it."""

    name: str
    version: str  # PEP 440 or semver
    category: str
    description: str
    file: str  # name of the archive beside the index
    sha256: str
    size_bytes: int
    command: tuple[str, ...] = ()
    image: str = ""
    health: HealthCheck = field(default_factory=HealthCheck)
    dependencies: tuple[str, ...] = ()  # names, each with a range of versions behind it or without
    environment: dict[str, str] = field(default_factory=dict)  # defaults
    memory_mb: int | None = None
    cpus: float | None = None
    processes: int | None = None
    signature: str | None = None  # of the archive, with its name and version; base64

    def to_json(self) -> dict[str, Any]:
        """As `index.py` reads it."""
        from stellwerk.providers.repositories.index import dumped  # noqa: PLC0415  it needs Entry

        return dumped(self)


@dataclass(frozen=True, slots=True)
class Index:
    """The entries of a repository; `etag` is what tells whether it changed, where there is one."""

    entries: tuple[Entry, ...]
    etag: str | None = None
    published_at: datetime | None = None  # of one that is signed


Progress = Callable[[float], None]  # the share that is done, 0 to 1; may raise to give up


class Repositories(Protocol):
    """Reads repositories of every kind."""

    def read_index(self, source: Source, etag: str | None = None) -> Index | None:
        """The index, checked with its signature; None where it is still the one of that `etag`.

        Raises ProviderUnavailable where the repository does not answer in time, ProviderRejected
        for an index that is damaged, too large, or not signed as it should be.
        """

    def download(self, source: Source, entry: Entry, target: Path, progress: Progress) -> None:
        """Write the archive to `target`, which is all of it or is not there.

        Raises ProviderUnavailable, and ProviderRejected for one that is larger than it says.
        """

    def verify(self, source: Source, entry: Entry, archive: Path) -> None:
        """Raise ProviderRejected unless size, sha256 and signature are the entry's."""

    def unpack(self, entry: Entry, archive: Path, folder: Path, progress: Progress) -> None:
        """Unpack an archive to `folder`, which is all of it or is not there.

        Raises ProviderRejected for an archive with anything but plain files and folders within
        bounds, or that is another module's.
        """
