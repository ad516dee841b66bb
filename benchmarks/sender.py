"""One client that sends its requests one after another, and times them."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

from benchmarks.exchange import Answer, Request

TIMEOUT_S = 60.0
ERRORS_FROM = 400


class Sender:
    """Keeps its connection; `took_s` is the last request's duration."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self.took_s = 0.0

    def send(self, request: Request) -> Answer:
        """The answer; raises RuntimeError where it is a refusal."""
        headers = dict(request.headers)
        began_s = time.perf_counter()
        self._connection.request(request.method, request.path, request.body or None, headers)
        response = self._connection.getresponse()
        body = response.read()
        self.took_s = time.perf_counter() - began_s
        if response.status >= ERRORS_FROM:
            raise RuntimeError(f"{request.method} {request.path}: {response.status} {body[:500]!r}")
        return Answer(response.status, body)

    def reconnect(self) -> None:
        """After a long pause: the server will have hung up."""
        self._connection.close()  # it opens again by itself

    def timed(self, request: Request) -> float:
        """Send it; how long it took, in seconds."""
        self.send(request)
        return self.took_s


@contextmanager
def sender(url: str) -> Iterator[Sender]:
    """A client of this server."""
    parts = urlsplit(url)
    with closing(HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)) as connection:
        yield Sender(connection)
