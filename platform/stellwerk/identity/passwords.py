"""Password hashes: Argon2id at the parameters of OWASP's Password Storage Cheat Sheet.

One hash takes 19 MiB and about 20 ms, so only a few are made at a time in a process.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from stellwerk.errors import Unavailable

AT_ONCE = 2  # hashes in progress in one process
PATIENCE_S = 1.5

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
_turns = BoundedSemaphore(AT_ONCE)


def hashed(password: str) -> str:
    """The hash to store; raises Unavailable when too many are being made."""
    with turn():
        return _hasher.hash(password)


def is_right(password: str, password_hash: str | None) -> bool:
    """Whether it is the password of that hash; without one it takes as long and is wrong.

    Raises Unavailable when too many are being compared.
    """
    with turn():
        try:
            _hasher.verify(password_hash or _nobodys(), password)
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


@contextmanager
def turn(patience_s: float = PATIENCE_S) -> Iterator[None]:
    """One of the few hashes in progress; raises Unavailable when none ends so soon."""
    if not _turns.acquire(timeout=patience_s):
        raise Unavailable("Too many people sign in at this moment.", retry_after_s=2)
    try:
        yield
    finally:
        _turns.release()


@cache
def unknowable() -> str:
    """The hash, made once per process, of a password that nobody knows, for accounts without one.

    Raises Unavailable as `hashed` does: ask for it before a transaction begins.
    """
    return hashed(secrets.token_urlsafe(32))


@cache
def _nobodys() -> str:
    return _hasher.hash("nobody has this password")
