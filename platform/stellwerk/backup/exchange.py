"""Puts the files of a backup into a store, so that a failure leaves the store as it was."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from filecmp import cmp
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import IO
from uuid import uuid4

from stellwerk.backup.archive import BLOCK_BYTES
from stellwerk.errors import ProviderRejected
from stellwerk.providers.artifacts.protocol import ArtifactStorage

CONTENT_TYPE = "application/octet-stream"  # its row in the ledger has the type it is sent with


@dataclass(slots=True)
class Exchange:
    """One restore's dealings with a store, and how to undo them."""

    storage: ArtifactStorage
    _undo: ExitStack = field(default_factory=ExitStack)
    _folder: Path = Path()

    @contextmanager
    def undone_by_failure(self) -> Iterator["Exchange"]:
        """Whatever ends the block before its end, an interruption too, undoes each `put`."""
        with TemporaryDirectory(prefix="stellwerk-restore-") as folder:
            self._folder = Path(folder)
            with self._undo:
                yield self
                self._undo.pop_all()

    def put(self, key: str, content: IO[bytes]) -> None:
        """Store a file; raises as the store does."""
        file = self._folder / "file"
        with file.open("wb") as target:
            copyfileobj(content, target, BLOCK_BYTES)
        former = self._former(key)
        if former is None:
            self._undo.callback(self.storage.delete, key)
        elif cmp(former, file, shallow=False):
            former.unlink()
            return
        else:
            self._undo.callback(self.storage.put, key, former, CONTENT_TYPE)
        self.storage.put(key, file, CONTENT_TYPE)

    def _former(self, key: str) -> Path | None:
        """A copy of what the store has under a key."""
        copy = self._folder / uuid4().hex
        try:
            self.storage.get(key, copy)
        except ProviderRejected:  # there is none
            return None
        return copy
