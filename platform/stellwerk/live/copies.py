"""Sealed copies of what the ledger keeps, for a few minutes; a lost one costs a query.

Whoever changes the truth drops the copy before the change can be read by others. That leaves a
mark for a while, so that a slower reader does not put back what it read before.
"""

from stellwerk.live import keys
from stellwerk.live.client import LiveClient

MARK = b"-"
MARK_S = 30


class LiveCopies:
    """What `stellwerk.jobs.ports.Copies` asks for, in Redis."""

    def __init__(self, client: LiveClient) -> None:
        self._client = client

    def read(self, kind: str, name: str) -> bytes | None:
        """The copy, if there is one."""
        key = keys.copy(kind, name)
        held = self._client.ask(lambda redis: redis.get(key), otherwise=None)
        return held if isinstance(held, bytes) and held != MARK else None

    def fill(self, kind: str, name: str, value: bytes, *, ttl_s: float) -> None:
        """Put a copy where neither a copy nor a mark is."""
        self._set(kind, name, value, ttl_s, only_new=True)

    def put(self, kind: str, name: str, value: bytes, *, ttl_s: float) -> None:
        """Put a copy in place of whatever is there."""
        self._set(kind, name, value, ttl_s, only_new=False)

    def drop(self, kind: str, name: str) -> None:
        """Put the mark in its place."""
        self._set(kind, name, MARK, MARK_S, only_new=False)

    def _set(self, kind: str, name: str, value: bytes, ttl_s: float, *, only_new: bool) -> None:
        ttl_ms = int(ttl_s * 1000)
        if ttl_ms <= 0:
            return
        key = keys.copy(kind, name)
        self._client.ask(
            lambda redis: redis.set(key, value, px=ttl_ms, nx=only_new), otherwise=None
        )
