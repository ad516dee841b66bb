"""API keys and other secrets that are random strings, and what is stored of them."""

import hashlib
import secrets
import string

KEY_PREFIX = "swk_"
KEY_LETTERS = 40
VISIBLE_LETTERS = 12  # of a key, shown to tell it from others


def new_key() -> str:
    """A random API key; 40 letters and digits hold 238 bits."""
    letters = string.ascii_letters + string.digits
    return KEY_PREFIX + "".join(secrets.choice(letters) for _ in range(KEY_LETTERS))


def key_hash(key: str) -> str:
    """What is stored of a key: SHA-256 is enough for a secret nobody can guess."""
    return hashlib.sha256(key.encode()).hexdigest()
