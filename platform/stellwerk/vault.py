"""Seals secrets that the platform has to read again, so that the database alone tells nobody."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from stellwerk.errors import ConfigurationError

SHORTEST_KEY_BYTES = 32


class Vault:
    """Fernet (AES-128-CBC and HMAC-SHA256): the first key seals, every key opens.

    Raises ConfigurationError for a key that is too short; without any key it seals nothing.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if any(len(key.encode()) < SHORTEST_KEY_BYTES for key in keys):
            message = (
                f"Every key in STELLWERK_ENCRYPTION_KEY needs at least {SHORTEST_KEY_BYTES} "
                "bytes, such as the output of `openssl rand -hex 32`."
            )
            raise ConfigurationError(message)
        self._keys = tuple(keys)
        self._boxes = [Fernet(_fernet_key(key)) for key in keys]

    def seal(self, text: str) -> bytes:
        """The text as only this vault's keys open it; raises ConfigurationError without keys."""
        return self._all().encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """What was sealed; raises ConfigurationError where its key is missing."""
        try:
            return self._all().decrypt(sealed).decode()
        except InvalidToken as exc:
            message = "A stored secret was sealed with a key STELLWERK_ENCRYPTION_KEY lacks."
            raise ConfigurationError(message) from exc

    def resealed(self, sealed: bytes) -> bytes | None:
        """The same by the present key; None where that sealed it already.

        Raises ConfigurationError where its key is missing.
        """
        with suppress(InvalidToken):
            MultiFernet(self._boxes[:1]).decrypt(sealed)
            return None
        return self.seal(self.open(sealed))

    def marks(self, content: bytes) -> tuple[str, ...]:
        """Digests that nobody can make or compare without a key, in hex, one by each key.

        The first, by the present key, is to be stored; older ones are found among the others.
        Raises ConfigurationError without keys.
        """
        self._all()
        return tuple(hmac.digest(key.encode(), content, "sha256").hex() for key in self._keys)

    def _all(self) -> MultiFernet:
        if not self._boxes:
            raise ConfigurationError("STELLWERK_ENCRYPTION_KEY is not set.")
        return MultiFernet(self._boxes)


def _fernet_key(key: str) -> bytes:
    """32 bytes of a long random text; there is nothing to guess that a slow hash would slow."""
    return urlsafe_b64encode(hashlib.sha256(key.encode()).digest())
