"""An HTTP server of somebody else's, on a real socket: answers as told, and notes what it got."""

import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

OK = 204


@dataclass(frozen=True, slots=True)
class Received:
    """One request; names of headers are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """`statuses` are answered in turn, the last of them from then on."""

    url: str
    statuses: list[int]
    headers: Mapping[str, str]
    body: bytes
    requests: list[Received] = field(default_factory=list)

    def next_status(self) -> int:
        """What is answered to the request that was noted last."""
        return self.statuses[min(len(self.requests), len(self.statuses)) - 1]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])


@contextmanager
def receiving(
    statuses: Sequence[int] = (OK,),
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    before_answer: Callable[[], object] = lambda: None,
) -> Iterator[Receiver]:
    """A receiver on a free port, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            names = {name.lower(): value for name, value in self.headers.items()}
            receiver.requests.append(Received(self.path, names, body))
            status = receiver.next_status()
            before_answer()
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  http.server's name
            """Quietly."""

    server = ThreadingHTTPServer((host, 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "https" if tls else "http"
    url = f"{scheme}://{host}:{server.server_port}"
    receiver = Receiver(url, list(statuses), headers or {}, body)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
