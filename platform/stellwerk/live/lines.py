"""Commands for the hot path, over a connection that the calling thread keeps.

redis-py makes the connections (address, password, TLS); its pool, its retries and its reader
would cost several times what the call itself does.
"""

import os
from collections.abc import Sequence
from threading import local
from typing import Any

import hiredis
from redis import Redis
from redis.exceptions import ConnectionError  # noqa: A004  redis-py's name

READ_BYTES = 65536

Command = tuple[bytes | str | int, ...]  # a Redis command's name and arguments
Reply = Any  # bytes, int, list or None; hiredis.ReplyError for a command that was refused


class Lines:
    """One connection for each thread, made when it is first needed and after each failure."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._threads = local()

    def ask(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to commands sent in one trip; raises RedisError or OSError.

        Where the connection had been closed, all of them are sent once more.
        """
        try:
            return self._ask(commands)
        except ConnectionError:  # an idle one may have been closed
            return self._ask(commands)

    def _ask(self, commands: Sequence[Command]) -> list[Reply]:
        line: _Line | None = self._threads.__dict__.pop("line", None)
        if line is None or line.process_id != os.getpid():  # a fork shares its parent's socket
            line = _Line(self._redis)
        replies = line.ask(commands)
        self._threads.line = line  # only one that is in step is used again
        return replies


class _Line:
    """One connection, and the reader of what comes over it."""

    def __init__(self, redis: Redis) -> None:
        self.process_id = os.getpid()
        pool = redis.connection_pool
        self._connection = pool.connection_class(**pool.connection_kwargs)
        self._connection.connect()
        self._socket = self._connection._sock  # noqa: SLF001  redis-py has no public name for it
        self._reader = hiredis.Reader()

    def ask(self, commands: Sequence[Command]) -> list[Reply]:
        try:
            self._socket.sendall(b"".join([_packed(command) for command in commands]))
        except BrokenPipeError as exc:
            raise ConnectionError("Redis has closed the connection.") from exc
        return [self._next() for _ in commands]

    def _next(self) -> Reply:
        while (reply := self._reader.gets()) is False:
            received = self._socket.recv(READ_BYTES)
            if not received:
                raise ConnectionError("Redis has closed the connection.")
            self._reader.feed(received)
        return reply


def _packed(command: Command) -> bytes:
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # its stub knows one word
    return packed
