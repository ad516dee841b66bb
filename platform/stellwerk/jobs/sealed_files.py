"""Files of sensitive jobs: each is stored encrypted, by a key of its own that the ledger keeps.

AES-256-GCM in chunks, so that a range is read without what comes before it. A chunk's nonce is its
number and whether it is the last: chunks cannot change places, and a shortened file does not open.
(After "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015: STREAM.)
"""

import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stellwerk.errors import ProviderRejected
from stellwerk.jobs.model import JobArtifact
from stellwerk.providers.artifacts.protocol import ArtifactStorage, StoredObject
from stellwerk.vault import Vault

CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
_STORED_BYTES = CHUNK_BYTES + TAG_BYTES
SUFFIX = ".sealed"
STORED_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A stored file that is encrypted; `size_bytes` is that of its content."""

    storage_key: str
    size_bytes: int
    key: bytes

    def read(self, store: ArtifactStorage, *, start: int, length: int) -> Iterator[bytes]:
        """Bytes of the content from `start`, `length` of them; raises as `ArtifactStorage.read`.

        ProviderRejected as well where the stored file is not what was sealed.
        """
        if length <= 0:
            return
        first, last = start // CHUNK_BYTES, (start + length - 1) // CHUNK_BYTES
        stored = store.read(
            self.storage_key,
            start=first * _STORED_BYTES,
            length=(last - first + 1) * _STORED_BYTES,
        )
        skipped = start - first * CHUNK_BYTES
        for number, chunk in enumerate(_chunks(stored), start=first):
            content = self._opened(number, chunk)[skipped : skipped + length]
            skipped, length = 0, length - len(content)
            yield content

    def get(self, store: ArtifactStorage, path: Path) -> None:
        """Its content as a file; raises as `read` does."""
        with path.open("wb") as target:
            for block in self.read(store, start=0, length=self.size_bytes):
                target.write(block)

    def _opened(self, number: int, chunk: bytes) -> bytes:
        is_last = number == (self.size_bytes - 1) // CHUNK_BYTES
        try:
            return AESGCM(self.key).decrypt(_nonce(number, is_last=is_last), chunk, None)
        except InvalidTag as exc:
            raise ProviderRejected(f"What is stored as {self.storage_key!r} was changed.") from exc


def sealed_file(vault: Vault, row: JobArtifact) -> SealedFile | None:
    """The file of this row where it is encrypted; None for one that is stored as it is."""
    if row.sealed_key is None:
        return None
    key = b64decode(vault.open(row.sealed_key, str(row.job_id)))
    return SealedFile(row.storage_key, row.size_bytes, key)


def put(store: ArtifactStorage, storage_key: str, path: Path) -> tuple[StoredObject, bytes]:
    """Store a file encrypted; returns what its content is, and the key (base64) it opens with."""
    key, beside = secrets.token_bytes(32), path.with_name(path.name + SUFFIX)
    try:
        content = _encrypt(path, beside, key)
        store.put(storage_key, beside, STORED_TYPE)
    finally:
        beside.unlink(missing_ok=True)
    return content, b64encode(key)


def _encrypt(path: Path, target: Path, key: bytes) -> StoredObject:
    size, digest, cipher = path.stat().st_size, sha256(), AESGCM(key)
    last = max(size - 1, 0) // CHUNK_BYTES
    with path.open("rb") as source, target.open("wb") as stored:
        for number in range(last + 1):
            content = source.read(CHUNK_BYTES)
            digest.update(content)
            stored.write(cipher.encrypt(_nonce(number, is_last=number == last), content, None))
    return StoredObject(size, digest.hexdigest())


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11) + bytes([is_last])


def _chunks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for block in blocks:
        held += block
        while len(held) >= _STORED_BYTES:
            yield bytes(held[:_STORED_BYTES])
            del held[:_STORED_BYTES]
    if held:
        yield bytes(held)
