"""A repository behind HTTPS on loopback, which can be made to misbehave."""

import hashlib
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import trustme

DRIP_EVERY_S = 0.05
MIB = 1024 * 1024

Misbehaviour = Callable[["Handler"], None]


@dataclass(slots=True)
class HttpsServer:
    """What it serves: a folder's files, each with an ETag, or what somebody does instead."""

    folder: Path
    url: str = ""
    instead: Misbehaviour | None = None
    asked: list[tuple[str, int]] = field(default_factory=list)  # path and status
    is_ending: Event = field(default_factory=Event)


class Handler(BaseHTTPRequestHandler):
    """One request of a client that nobody waits for at the end."""

    def __init__(self, state: HttpsServer, *arguments: object) -> None:
        self.state = state
        super().__init__(*arguments)  # type: ignore[arg-type]  # as socketserver calls it

    def do_GET(self) -> None:
        """The file, 304 for one that is known, or 404."""
        with suppress(OSError):  # the client has seen enough
            (self.state.instead or _serve)(self)

    def send_head(self, status: int, **headers: str) -> None:
        """Status and headers; `_` in their names stands for `-`."""
        self.state.asked.append((self.path, status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  http.server's name
        """Quietly."""


def _serve(handler: Handler) -> None:
    path = handler.state.folder / handler.path.rpartition("/")[2]
    if not path.is_file():
        handler.send_head(404, Content_Length="0")
        return
    content = path.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    if handler.headers.get("If-None-Match") == etag:
        handler.send_head(304, ETag=etag)
        return
    handler.send_head(200, ETag=etag, Content_Length=str(len(content)))
    handler.wfile.write(content)


def dripping(handler: Handler) -> None:
    """A byte now and then, without an end."""
    handler.send_head(200)
    while not handler.state.is_ending.wait(DRIP_EVERY_S):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def dripping_headers(handler: Handler) -> None:
    """The same before the first line is over."""
    while not handler.state.is_ending.wait(DRIP_EVERY_S):
        handler.wfile.write(b"H")
        handler.wfile.flush()


def silent(handler: Handler) -> None:
    """Takes the request and says nothing."""
    handler.state.is_ending.wait()


def garbage(handler: Handler) -> None:
    """Not even HTTP."""
    handler.wfile.write(b"\x00\xff" * 100 + b"\r\n\r\n")


def page(handler: Handler) -> None:
    """A page for people, as sign-ins of networks answer."""
    handler.send_head(200, Content_Type="text/html")
    handler.wfile.write(b"<html><title>Sign in to the network</title></html>")


def redirect(handler: Handler) -> None:
    """To the same server, where the file is."""
    handler.send_head(302, Location=f"{handler.state.url}/real{handler.path}")


def endless(handler: Handler) -> None:
    """As much as anybody takes."""
    handler.send_head(200)
    while not handler.state.is_ending.is_set():
        handler.wfile.write(bytes(MIB))


def cut_off(handler: Handler) -> None:
    """Half of what it announced."""
    handler.send_head(200, Content_Length="1000")
    handler.wfile.write(b"{" + b" " * 499)


def failing(status: int, **headers: str) -> Misbehaviour:
    """That status, always."""
    return lambda handler: handler.send_head(status, Content_Length="0", **headers)


MISBEHAVIOURS: Mapping[str, Misbehaviour] = {
    "drips": dripping,
    "drips headers": dripping_headers,
    "is silent": silent,
    "speaks no HTTP": garbage,
    "cuts off": cut_off,
    "is overloaded": failing(503, Retry_After="7"),
}


@contextmanager
def https_server(folder: Path, authority: trustme.CA) -> Iterator[HttpsServer]:
    """A server of the folder under a name that the authority vouches for."""
    state = HttpsServer(folder)
    server = _Server(("127.0.0.1", 0), partial(Handler, state))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.context = context
    state.url = f"https://127.0.0.1:{server.server_port}/modules"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.is_ending.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    context: ssl.SSLContext
    daemon_threads = False  # all of them have ended when it is closed

    def finish_request(self, request: object, client_address: object) -> None:
        """TLS begins in the request's own thread."""
        with suppress(OSError):
            wrapped = self.context.wrap_socket(request, server_side=True)  # type: ignore[arg-type]  # a socket
            with wrapped:
                super().finish_request(wrapped, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave are what is tested here."""
