"""Large answers are written by threads of their own: who reads slowly keeps nobody else waiting.

Granian's threads, of which there are few, answer a request and write its body, block by block, as
fast as the client reads. A body over 256 KiB is handed to a thread that does nothing else.
"""

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any, Protocol

from granian.server import mp
from granian.wsgi import _callback_wrapper

LARGE_BYTES = 256 * 1024

Headers = list[tuple[str, str]]


class Answering(Protocol):
    """Granian's side of one request."""

    response_bytes: Callable[[int, Headers, bytes], None]

    def response_iter(self, status: int, headers: Headers, body: Iterator[bytes]) -> None:
        """Write a body in blocks; returns when the client has taken it, or has gone."""


class Apart:
    """The same, for which bodies that are large are no business of the calling thread."""

    __slots__ = ("_inner", "response_bytes")

    def __init__(self, inner: Answering) -> None:
        self._inner = inner
        self.response_bytes = inner.response_bytes

    def response_iter(self, status: int, headers: Headers, body: Iterator[bytes]) -> None:
        """Write it, or have it written."""
        if _size_bytes(headers) <= LARGE_BYTES:
            self._inner.response_iter(status, headers, body)
        else:
            written = (status, headers, body)
            Thread(target=self._inner.response_iter, args=written, daemon=True).start()


def write_apart() -> None:
    """In a worker, before it serves: make its answers be written so."""
    vars(mp)["_wsgi_call_wrap"] = _wrapped


def _wrapped(callback: Any, scope_opts: Any, access_log_format: Any = None) -> Any:
    answer = _callback_wrapper(callback, scope_opts, access_log_format)
    return lambda inner, scope: answer(Apart(inner), scope)


def _size_bytes(headers: Headers) -> int:
    for name, value in headers:
        if name.lower() == "content-length":
            return int(value)
    return 0
