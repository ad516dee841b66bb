"""Artifacts in a folder of this machine."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO
from uuid import uuid4

from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.providers.artifacts.protocol import StoredObject

BLOCK_BYTES = 256 * 1024


class LocalArtifacts:
    """A folder; objects appear by rename, so that a reader never sees half of one."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, path: Path, content_type: str) -> StoredObject:  # noqa: ARG002  kept in the ledger
        """Copy beside, flush to disk, rename."""
        target = self._path(key)
        with _mapped():
            target.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as source, _beside(target) as copy:
                shutil.copyfileobj(source, copy, BLOCK_BYTES)
        return StoredObject(target.stat().st_size, _sha256(target))

    def get(self, key: str, path: Path) -> None:
        """Copy the object's file."""
        with _mapped():
            shutil.copyfile(self._existing(key), path)

    def read(self, key: str, *, start: int, length: int) -> Iterator[bytes]:
        """Blocks of at most 256 KiB."""
        with _mapped(), self._existing(key).open("rb") as source:
            source.seek(start)
            while length > 0 and (block := source.read(min(BLOCK_BYTES, length))):
                length -= len(block)
                yield block

    def delete(self, key: str) -> None:
        """Remove the file."""
        with _mapped():
            self._path(key).unlink(missing_ok=True)

    def delete_folder(self, folder: str) -> int:
        """Remove the folder with all that is in it, parts of uploads too."""
        path = self._path(folder)
        with _mapped():
            number = sum(1 for found in path.rglob("*") if found.is_file())
            if path.is_dir():
                shutil.rmtree(path)
        return number

    def check(self) -> None:
        """Write and remove a probe."""
        probe = self._root / f".probe-{uuid4().hex}"
        with _mapped():
            self._root.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"probe")
            probe.unlink()

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise ProviderRejected(f"{key!r} is not a key of this store.")
        return path

    def _existing(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise ProviderRejected(f"The store holds nothing under {key!r}.")
        return path


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ProviderUnavailable(f"The artifact folder does not work: {exc}.") from exc


@contextmanager
def _beside(target: Path) -> Iterator[IO[bytes]]:
    with NamedTemporaryFile(dir=target.parent, prefix=".part-", delete=False) as copy:
        try:
            yield copy
            copy.flush()
            os.fsync(copy.fileno())
            Path(copy.name).replace(target)
        finally:
            Path(copy.name).unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
