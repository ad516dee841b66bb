"""Storage of artifacts: objects under keys `<job>/<attempt>/<name>`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What was stored."""

    size_bytes: int
    sha256: str  # hex


class ArtifactStorage(Protocol):
    """Puts, gets and reads objects.

    Every method raises ProviderUnavailable when the store does not answer, and `get` and `read`
    raise ProviderRejected for a key that does not exist.
    """

    def put(self, key: str, path: Path, content_type: str) -> StoredObject:
        """Store a file, whole or not at all; an existing object is replaced."""

    def get(self, key: str, path: Path) -> None:
        """Copy an object into a file."""

    def read(self, key: str, *, start: int, length: int) -> Iterator[bytes]:
        """Bytes from `start`, `length` of them, in blocks."""

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is no error."""

    def delete_folder(self, folder: str) -> int:
        """Remove every object whose key begins with `folder/`; how many."""

    def check(self) -> None:
        """Write, read and remove a small object."""
