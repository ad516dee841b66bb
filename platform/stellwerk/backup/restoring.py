"""Puts a backup into a database: checked before, in one transaction, or not at all."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import IO

from alembic.util import CommandError

from stellwerk.backup.archive import BLOCK_BYTES, Manifest, checked, damage_told, members
from stellwerk.backup.database import Loading, connected, has_accounts
from stellwerk.backup.exchange import Exchange
from stellwerk.backup.saving import key_ids
from stellwerk.db import migrate
from stellwerk.errors import ConfigurationError, Conflict
from stellwerk.providers.artifacts.protocol import ArtifactStorage
from stellwerk.settings import Settings

TABLES, ARTIFACTS = "tables", "artifacts"
Member = tuple[str, IO[bytes]]


def restore(
    settings: Settings, path: Path, storage: ArtifactStorage, *, force: bool = False
) -> Manifest:
    """Check all of the file, then load it; the schema is the newest afterwards.

    `force` replaces what is in a database that is in use. Raises ConfigurationError for a file
    that is damaged, of a newer release, or sealed with a key that is missing here, and Conflict.
    """
    manifest = checked(path)
    _refuse_missing_keys(settings, manifest)
    url = settings.database()
    _prepare_schema(url, manifest)
    with connected(url) as connection:
        if has_accounts(connection) and not force:
            message = "The database is in use: there are accounts. --force replaces all of it."
            raise Conflict(message)
        with Exchange(storage).undone_by_failure() as exchange, damage_told(path):
            loading = Loading(connection, manifest)
            _load(path, loading, exchange)
            loading.finish()
            connection.commit()
    migrate.upgrade(url)
    return manifest


class _Stream:
    """Members one after another, as one."""

    def __init__(self, parts: Iterator[Member]) -> None:
        self._parts = parts
        self._part: Member | None = next(parts, None)

    def read(self, size: int = BLOCK_BYTES, /) -> bytes:
        while self._part is not None:
            if data := self._part[1].read(size):
                return data
            self._part = next(self._parts, None)
        return b""

    def readline(self, size: int = -1, /) -> bytes:
        raise NotImplementedError("COPY reads blocks.")


def _load(path: Path, loading: Loading, exchange: Exchange) -> None:
    """In the order of the file: tables, those that others refer to first, then artifacts."""
    for (kind, table), parts in groupby(members(path), key=lambda member: _place(member[0])):
        if kind == TABLES:
            loading.load(table, _Stream(parts))
        elif kind == ARTIFACTS:
            _put_all(exchange, parts)


def _put_all(exchange: Exchange, parts: Iterator[Member]) -> None:
    for name, content in parts:
        exchange.put(name.removeprefix(f"{ARTIFACTS}/"), content)


def _place(name: str) -> tuple[str, str]:
    """`tables` and which one, or `artifacts`."""
    parts = PurePosixPath(name).parts
    return parts[0], parts[1] if parts[0] == TABLES else ""


def _refuse_missing_keys(settings: Settings, manifest: Manifest) -> None:
    missing = set(manifest.key_ids) - set(key_ids(settings))
    if missing:
        message = (
            "The backup holds rows sealed with a key that is not here. Add it to "
            f"STELLWERK_ENCRYPTION_KEY (key ids {', '.join(sorted(missing))})."
        )
        raise ConfigurationError(message)


def _prepare_schema(url: str, manifest: Manifest) -> None:
    """Bring the database to the backup's revision; raises ConfigurationError."""
    present = migrate.current(url)
    if present not in {None, manifest.revision}:
        message = (
            f"The database is at revision {present}, the backup at {manifest.revision}. "
            "Restore into an empty database; it is brought to the newest revision afterwards."
        )
        raise ConfigurationError(message)
    try:
        migrate.upgrade(url, manifest.revision)
    except CommandError as exc:  # it knows no such revision
        message = f"The backup is of a newer release ({manifest.version}); install that one."
        raise ConfigurationError(message) from exc
