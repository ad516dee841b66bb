"""Seals secrets that the platform has to read again, so that the database alone tells nobody."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken

from stellwerk.errors import ConfigurationError

SHORTEST_KEY_BYTES = 32
MARK = "$sealed"  # the member of a JSON object in which a token stands
KEY_ID_LENGTH = 8  # hexadecimal digits, and the colon after them begins the token


class Vault:
    """Fernet (AES-128-CBC and HMAC-SHA256): the first key seals, every key opens.

    What is sealed begins with the id of its key: `1a2b3c4d:gAAAA...`. Raises ConfigurationError for
    a key that is too short; without any key it seals nothing.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if any(len(key.encode()) < SHORTEST_KEY_BYTES for key in keys):
            message = (
                f"Every key in STELLWERK_ENCRYPTION_KEY needs at least {SHORTEST_KEY_BYTES} "
                "bytes, such as the output of `openssl rand -hex 32`."
            )
            raise ConfigurationError(message)
        self._keys = tuple(keys)
        self._boxes = {key_id(key): Fernet(_fernet_key(key)) for key in keys}

    @property
    def present_key(self) -> str:
        """The id of the key that seals; raises ConfigurationError without keys."""
        return next(iter(self._all()))

    @property
    def keys(self) -> tuple[str, ...]:
        """The ids of all keys, the present one first."""
        return tuple(self._boxes)

    def seal(self, text: str, place: str = "") -> bytes:
        """The text as only this vault's keys open it; raises ConfigurationError without keys.

        `place`: where it belongs, such as a row's id; it opens nowhere else.
        """
        return self._sealed(f"{place}\0{text}".encode())

    def open(self, sealed: bytes, place: str = "") -> str:
        """What was sealed for this place; raises ConfigurationError where its key is missing."""
        found, _, text = self._opened(sealed).decode().partition("\0")
        if found != place:
            raise ConfigurationError("A stored secret was sealed for another place than its own.")
        return text

    def reseal(self, sealed: bytes) -> bytes:
        """The same under the present key, wherever it belongs; raises as `open` does."""
        return self._sealed(self._opened(sealed))

    def marks(self, content: bytes) -> tuple[str, ...]:
        """Digests that nobody can make or compare without a key, in hex, one by each key.

        The first, by the present key, is to be stored; older ones are found among the others.
        Raises ConfigurationError without keys.
        """
        self._all()
        return tuple(hmac.digest(key.encode(), content, "sha256").hex() for key in self._keys)

    def lookups(self, text: str) -> tuple[str, ...]:
        """Keyed hashes by which a sealed text is found again, one by each key, the present first.

        HMAC-SHA256, in hex, by keys that serve nothing else. Raises ConfigurationError without
        keys.
        """
        self._all()
        own = [_subkey(key, b"lookup") for key in self._keys]
        return tuple(hmac.digest(key, text.encode(), "sha256").hex() for key in own)

    def database_settings(self) -> dict[str, str]:
        """The keys as settings of a connection to Postgres, for `stellwerk.db.encrypted`.

        Keys that serve nothing else, made from the vault's: text and hashes for each, by its id.
        """
        found = {"stellwerk.present_key": self.present_key}
        for name, key in zip(self.keys, self._keys, strict=True):
            found[f"stellwerk.key_{name}"] = _subkey(key, b"pgcrypto").hex()
            found[f"stellwerk.lookup_{name}"] = _subkey(key, b"lookup").hex()
        return found

    def _sealed(self, content: bytes) -> bytes:
        present = self.present_key
        return present.encode() + b":" + self._boxes[present].encrypt(content)

    def _opened(self, sealed: bytes) -> bytes:
        named, _, token = bytes(sealed).partition(b":")
        try:
            return self._all()[named.decode("ascii", "replace")].decrypt(token)
        except (KeyError, InvalidToken) as exc:
            message = "A stored secret was sealed with a key STELLWERK_ENCRYPTION_KEY lacks."
            raise ConfigurationError(message) from exc

    def _all(self) -> dict[str, Fernet]:
        if not self._boxes:
            raise ConfigurationError("STELLWERK_ENCRYPTION_KEY is not set.")
        return self._boxes


def key_id(key: str) -> str:
    """What tells this key from others, and nothing about it."""
    return hashlib.sha256(b"key id\0" + key.encode()).hexdigest()[:KEY_ID_LENGTH]


def _subkey(key: str, purpose: bytes) -> bytes:
    """32 bytes for one purpose; whoever has them has neither the key nor those of others."""
    return hmac.digest(key.encode(), purpose, "sha256")


def _fernet_key(key: str) -> bytes:
    """32 bytes of a long random text; there is nothing to guess that a slow hash would slow."""
    return urlsafe_b64encode(hashlib.sha256(key.encode()).digest())
