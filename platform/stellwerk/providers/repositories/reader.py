"""Reads repositories of every kind, and checks what they give."""

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import certifi

from stellwerk.providers.repositories import archives
from stellwerk.providers.repositories.archives import Bounds
from stellwerk.providers.repositories.checksums import sha256_of
from stellwerk.providers.repositories.file import FileRepository
from stellwerk.providers.repositories.index import INDEX_SIGNATURE, parsed
from stellwerk.providers.repositories.protocol import Entry, Index, Progress, Source, SourceKind
from stellwerk.providers.repositories.refusals import (
    archive_refused,
    checksum_wrong,
    signature_wrong,
)
from stellwerk.providers.repositories.signatures import archive_message, is_signed
from stellwerk.providers.repositories.sources import Fetched, Reading
from stellwerk.providers.repositories.transfer import disk_told


@dataclass(frozen=True, slots=True)
class Rules:
    """Sizes in bytes, times in seconds."""

    index_bytes: int
    archive_bytes: int
    bounds: Bounds
    answer_s: float
    download_s: float
    ca_file: Path | None = None


class RepositoryReader:
    """Any number of threads may use it; it keeps no connection open."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def read_index(self, source: Source, etag: str | None = None) -> Index | None:
        """Ask for it, check its signature before a byte of it is understood, and parse it."""
        is_signed_one = source.public_key is not None
        fetched = self._opened(source).fetch(etag, signed=is_signed_one)
        if fetched is None:
            return None
        if source.public_key is not None:
            _require_signed_index(fetched, source.public_key)
        return parsed(fetched.content, fetched.etag)

    def download(self, source: Source, entry: Entry, target: Path, progress: Progress) -> None:
        """Refuse what is announced as too large, then fetch."""
        if entry.size_bytes > self._rules.archive_bytes:
            told = f"it has {entry.size_bytes} bytes, more than {self._rules.archive_bytes}"
            raise archive_refused("archive_too_large", told)
        self._opened(source).download(entry, target, progress)

    def verify(self, source: Source, entry: Entry, archive: Path) -> None:
        """Size, then sha256, then signature."""
        with disk_told(f"{archive} cannot be read"):
            size_bytes = archive.stat().st_size
            if size_bytes != entry.size_bytes:
                told = f"it has {size_bytes} bytes, not {entry.size_bytes}"
                raise checksum_wrong("size", told)
            if sha256_of(archive) != entry.sha256:
                raise checksum_wrong("sha256", "its SHA-256 is another")
        if source.public_key is not None:
            _require_signed_archive(entry, source.public_key)

    def unpack(self, entry: Entry, archive: Path, folder: Path, progress: Progress) -> None:
        """Within the bounds of the settings."""
        archives.unpack(entry, archive, folder, self._rules.bounds, progress)

    def _opened(self, source: Source) -> Reading:
        if source.kind is SourceKind.FILE:
            return FileRepository(source.location, index_bytes=self._rules.index_bytes)
        from stellwerk.providers.repositories.https import (  # noqa: PLC0415  slow to import
            HttpsRepository,
            Patience,
        )

        rules = self._rules
        patience = Patience(rules.answer_s, rules.download_s, rules.index_bytes)
        return HttpsRepository(source.location, self._trust, patience)

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """Made once: reading the certificates takes longer than most answers."""
        return ssl.create_default_context(cafile=str(self._rules.ca_file or certifi.where()))


def _require_signed_index(fetched: Fetched, public_key: str) -> None:
    signature = fetched.signature.decode("ascii", "replace")
    if not is_signed(fetched.content, signature, public_key):
        told = f"{INDEX_SIGNATURE} does not sign the index with the repository's key"
        raise signature_wrong("index", told)


def _require_signed_archive(entry: Entry, public_key: str) -> None:
    if entry.signature is None:
        told = f"The archive of {entry.name} {entry.version} is not signed"
        raise signature_wrong("missing", told)
    message = archive_message(entry.name, entry.version, entry.sha256)
    if not is_signed(message, entry.signature, public_key):
        told = f"The signature of {entry.name} {entry.version} is not of the repository's key"
        raise signature_wrong("archive", told)
