"""A repository that is a folder of this machine."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.providers.repositories.index import INDEX, INDEX_SIGNATURE
from stellwerk.providers.repositories.protocol import Entry, Progress
from stellwerk.providers.repositories.sources import Fetched
from stellwerk.providers.repositories.transfer import disk_told, received, store


class FileRepository:
    """The ETag of its index is the SHA-256 of it and its signature."""

    def __init__(self, location: str, *, index_bytes: int) -> None:
        self._folder = Path(location)
        self._index_bytes = index_bytes

    def fetch(self, etag: str | None, *, signed: bool) -> Fetched | None:
        """Both files; None where they are those of the ETag."""
        content = self._read(INDEX)
        signature = self._read(INDEX_SIGNATURE) if signed else b""
        digest = hashlib.sha256(content + b"\0" + signature).hexdigest()
        return None if digest == etag else Fetched(content, signature, digest)

    def download(self, entry: Entry, target: Path, progress: Progress) -> None:
        """Copy the archive."""
        with self._opened(entry.file) as source, disk_told(f"{target} cannot be written"):
            store(source, entry, target, progress)

    def _read(self, name: str) -> bytes:
        with self._opened(name) as source, disk_told(f"{name} cannot be read"):
            return received(source, self._index_bytes, name)

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        path = self._folder / name
        try:
            # a named pipe without a writer would be waited for
            number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError as exc:
            raise self._missing(name) from exc
        except OSError as exc:
            raise ProviderUnavailable(f"{path} cannot be read: {exc.strerror}.") from exc
        with os.fdopen(number, "rb") as source:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise ProviderRejected(f"{path} is not a file.")
            yield source

    def _missing(self, name: str) -> ProviderUnavailable | ProviderRejected:
        """A folder may be mounted later; one that is there has a file or has not."""
        if not self._folder.is_dir():
            return ProviderUnavailable(f"There is no folder {self._folder}.")
        return ProviderRejected(f"The folder {self._folder} has no {name}.")
