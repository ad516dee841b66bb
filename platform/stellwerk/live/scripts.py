"""Lua scripts for the hot path, each called over a connection that the calling thread keeps.

redis-py makes the connections (address, password, TLS); its pool, its retries and its reader
would cost several times what the call itself does.
"""

import hashlib
from collections.abc import Sequence
from threading import local
from typing import Any

import hiredis
from redis import Redis
from redis.exceptions import ConnectionError, ResponseError  # noqa: A004  redis-py's name

from stellwerk.live.client import LiveClient

READ_BYTES = 65536


class Script:
    """One script; its calls take keys and give the reply."""

    def __init__(self, client: LiveClient, source: str) -> None:
        self._client = client
        self._source = source
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._threads = local()

    def call(self, names: Sequence[str]) -> Any:
        """The reply, or None when Redis fails or failed a moment ago."""
        return self._client.ask(lambda redis: self._call(redis, names), otherwise=None)

    def _call(self, redis: Redis, names: Sequence[str]) -> Any:
        try:
            return self._on_own_line(redis, names)
        except ConnectionError:  # an idle one may have been closed
            return self._on_own_line(redis, names)

    def _on_own_line(self, redis: Redis, names: Sequence[str]) -> Any:
        line: _Line | None = self._threads.__dict__.pop("line", None)
        if line is None:
            line = _Line(redis)
        reply = line.ask(("EVALSHA", self._sha, len(names), *names))
        if isinstance(reply, hiredis.ReplyError):  # Redis does not know the script, or not any more
            reply = line.ask(("EVAL", self._source, len(names), *names))
        if isinstance(reply, hiredis.ReplyError):
            raise ResponseError(str(reply))
        self._threads.line = line  # only one that is in step is used again
        return reply


class _Line:
    """One connection, and the reader of what comes over it."""

    def __init__(self, redis: Redis) -> None:
        pool = redis.connection_pool
        self._connection = pool.connection_class(**pool.connection_kwargs)
        self._connection.connect()
        self._socket = self._connection._sock  # noqa: SLF001  redis-py has no public name for it
        self._reader = hiredis.Reader()

    def ask(self, command: tuple[Any, ...]) -> Any:
        """Send a command; raises ConnectionError, or OSError when the answer takes too long."""
        try:
            self._socket.sendall(hiredis.pack_command(command))
        except BrokenPipeError as exc:
            raise ConnectionError("Redis has closed the connection.") from exc
        while (reply := self._reader.gets()) is False:
            received = self._socket.recv(READ_BYTES)
            if not received:
                raise ConnectionError("Redis has closed the connection.")
            self._reader.feed(received)
        return reply
