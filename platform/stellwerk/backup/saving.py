"""Writes a backup of a platform that may be at work."""

import hashlib
import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg2.extensions import connection as Connection  # noqa: N812  psycopg2 names its class so

from stellwerk.backup.archive import Manifest, Packer
from stellwerk.backup.database import dump, files, snapshot
from stellwerk.choices import ArtifactStore
from stellwerk.clock import rfc3339, utc_now
from stellwerk.db.migrate import current
from stellwerk.errors import ConfigurationError, ProviderRejected
from stellwerk.providers.artifacts.protocol import ArtifactStorage
from stellwerk.settings import Settings
from stellwerk.vault import Vault

KEY_ID_LETTERS = 16


def key_ids(settings: Settings) -> list[str]:
    """Names of the vault's keys, which tell nothing of the keys."""
    marks = Vault(settings.encryption_keys()).marks(b"backup-key-id")
    return [mark[:KEY_ID_LETTERS] for mark in marks]


def save(
    settings: Settings, target: Path, storage: ArtifactStorage, *, with_artifacts: bool | None
) -> Manifest:
    """Write the file, which appears whole or not at all; `with_artifacts` None: local ones.

    Raises ConfigurationError where it exists already or the database has no schema.
    """
    if target.exists():
        raise ConfigurationError(f"{target} exists already.")
    is_local = settings.artifact_store is ArtifactStore.LOCAL
    included = is_local if with_artifacts is None else with_artifacts
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        manifest = _save(settings, part, storage if included else None)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _save(settings: Settings, part: Path, storage: ArtifactStorage | None) -> Manifest:
    revision = current(settings.database())
    if revision is None:
        raise ConfigurationError("The database was never migrated: there is nothing to back up.")
    handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as file, snapshot(settings.database()) as connection:
        manifest = Manifest(
            version=version("stellwerk"),
            revision=revision,
            made_at=rfc3339(utc_now()) or "",
            postgres=str(connection.info.parameter_status("server_version")),
            key_ids=key_ids(settings),
            artifact_store=settings.artifact_store.value,
            has_artifacts=storage is not None,
        )
        with Packer(file, manifest) as packer:
            dump(connection, packer)
            _add_artifacts(connection, packer, storage)
            packer.close()
        file.flush()
        os.fsync(handle)
    return manifest


def _add_artifacts(connection: Connection, packer: Packer, storage: ArtifactStorage | None) -> None:
    """What was removed since the snapshot, or is not what the ledger says, is named as missing."""
    if storage is None:
        return
    with TemporaryDirectory(prefix="stellwerk-backup-") as folder:
        copy = Path(folder) / "artifact"
        for key, size_bytes, sha256 in files(connection):
            with suppress(ProviderRejected):
                storage.get(key, copy)
            if _is_whole(copy, size_bytes, sha256):
                packer.add_file(f"artifacts/{key}", copy, sha256)
                packer.manifest.artifacts += 1
            else:
                packer.manifest.missing.append(key)
            copy.unlink(missing_ok=True)


def _is_whole(path: Path, size_bytes: int, sha256: str) -> bool:
    if not path.exists() or path.stat().st_size != size_bytes:
        return False
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest() == sha256
