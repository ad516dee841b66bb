"""Ed25519 signatures (RFC 8032) of indices and archives; keys and signatures are base64.

An index is signed as it stands, byte for byte. An archive is signed with the name and version it
was made for, so that its signature is worth nothing beside another.
"""

from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

LONGEST_SIGNATURE = 200  # bytes of a file that holds one


def is_public_key(text: str) -> bool:
    """Whether it is a public key: 32 bytes, in base64."""
    try:
        Ed25519PublicKey.from_public_bytes(b64decode(text, validate=True))
    except ValueError:
        return False
    return True


def is_signed(content: bytes, signature: str, public_key: str) -> bool:
    """Whether the owner of the key signed just this; False also for what is no signature."""
    try:
        key = Ed25519PublicKey.from_public_bytes(b64decode(public_key, validate=True))
        key.verify(b64decode(signature.strip(), validate=True), content)
    except (ValueError, InvalidSignature):
        return False
    return True


def archive_message(name: str, version: str, sha256: str) -> bytes:
    """What an archive's signature is made over."""
    return f"stellwerk-module\n{name}\n{version}\n{sha256}\n".encode()


class SigningKey:
    """The private half, which only packs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def new(cls) -> "SigningKey":
        """One that nobody else has."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> "SigningKey":
        """As `pem` wrote it; raises ValueError for another kind of file or key."""
        try:
            key = load_pem_private_key(pem, password=None)
        except TypeError as exc:
            raise ValueError("the key is locked with a password") from exc
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 key")  # noqa: TRY004  the file's content is wrong
        return cls(key)

    @property
    def pem(self) -> bytes:
        """PKCS #8, without a password."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public_key(self) -> str:
        """The half that installations are given."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return b64encode(raw).decode()

    def sign(self, content: bytes) -> str:
        """The signature of these bytes."""
        return b64encode(self._key.sign(content)).decode()
