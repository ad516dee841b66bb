"""The file of a backup: a tar, compressed, with a manifest at its end that has every checksum.

Both directions stream: no more than a part of `PART_BYTES` is in memory, and nothing is ever
sought, since a table's length is known only once it was written.
"""

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from stellwerk.errors import ConfigurationError

FORMAT = 1  # raised when older releases cannot read the file any more
MANIFEST = "manifest.json"
PART_BYTES = 4 * 1024 * 1024
BLOCK_BYTES = 256 * 1024
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(slots=True)
class Manifest:
    """What is in the file. `members` gives size in bytes and SHA-256 of each part.

    `tables` gives columns and number of rows; `sequences` the last value of each, or None;
    `key_ids` name the keys that open sealed rows; `missing` are files that were gone or damaged.
    """

    version: str
    revision: str
    made_at: str
    postgres: str
    key_ids: list[str]
    artifact_store: str
    has_artifacts: bool
    format: int = FORMAT
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    sequences: dict[str, int | None] = field(default_factory=dict)
    artifacts: int = 0
    missing: list[str] = field(default_factory=list)
    members: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Of all tables together."""
        return sum(int(table["rows"]) for table in self.tables.values())


class Packer:
    """Writes the file, member by member; left before `close`, it lets go of half a file."""

    def __init__(self, target: IO[bytes], manifest: Manifest) -> None:
        self.manifest = manifest
        self._tar = tarfile.open(fileobj=target, mode="w|gz")  # noqa: SIM115  closed at the exit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk has been told of; `close` was not reached
            self._tar.close()

    def add(self, name: str, content: bytes) -> None:
        """A member that is in memory."""
        self.manifest.members[name] = [len(content), hashlib.sha256(content).hexdigest()]
        self._write(name, len(content), io.BytesIO(content))

    def add_file(self, name: str, path: Path, sha256: str) -> None:
        """A member that is a file, whose SHA-256 is known."""
        size_bytes = path.stat().st_size
        self.manifest.members[name] = [size_bytes, sha256]
        with path.open("rb") as source:
            self._write(name, size_bytes, source)

    def close(self) -> None:
        """Put the manifest at the end."""
        content = json.dumps(asdict(self.manifest)).encode()
        self._write(MANIFEST, len(content), io.BytesIO(content))
        self._tar.close()

    def _write(self, name: str, size_bytes: int, source: IO[bytes]) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size_bytes, 0o600
        self._tar.addfile(member, source)


class Parts:
    """A file to write a stream of unknown length to: it becomes members of `PART_BYTES`."""

    def __init__(self, add: Callable[[str, bytes], None], prefix: str) -> None:
        self._add = add
        self._prefix = prefix
        self._number = 0
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        """Take more of it."""
        self._held += data
        if len(self._held) >= PART_BYTES:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Make a member of what was taken."""
        if self._held:
            self._number += 1
            self._add(f"{self._prefix}/{self._number:08}", bytes(self._held))
            self._held = bytearray()


def checked(path: Path) -> Manifest:
    """Read all of the file and compare every checksum; raises ConfigurationError."""
    found: dict[str, list[Any]] = {}
    manifest: Manifest | None = None
    with damage_told(path):
        for name, content in members(path):
            if name == MANIFEST:
                manifest = _manifest(content.read())
            else:
                found[name] = _measured(content)
    if manifest is None:
        raise ConfigurationError(f"{path} is not whole: its manifest is missing.")
    if found != manifest.members:
        differing = [name for name in manifest.members if found.get(name) != manifest.members[name]]
        named = ", ".join((differing or sorted(found.keys() - manifest.members.keys()))[:5])
        raise ConfigurationError(f"{path} is damaged: {named} is not what the manifest says.")
    return manifest


def members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and contents in their order; each has to be read before the next."""
    with path.open("rb") as source, tarfile.open(fileobj=source, mode="r|gz") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is not None:
                yield member.name, content


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """What a broken file makes the library raise, as ConfigurationError."""
    try:
        yield
    except _DAMAGED as exc:
        raise ConfigurationError(f"{path} is no backup, or is damaged: {exc}.") from exc


def _manifest(content: bytes) -> Manifest:
    values = json.loads(content)
    if values.get("format") != FORMAT:
        message = f"The backup has format {values.get('format')}; this release reads {FORMAT}."
        raise ConfigurationError(message)
    return Manifest(**values)


def _measured(content: IO[bytes]) -> list[Any]:
    digest, size_bytes = hashlib.sha256(), 0
    while block := content.read(BLOCK_BYTES):
        digest.update(block)
        size_bytes += len(block)
    return [size_bytes, digest.hexdigest()]
