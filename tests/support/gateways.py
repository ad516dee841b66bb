"""The gateway of modules as a real process, and small modules behind it."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import InvalidMessage
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from embedded import wait_until
from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.gateway.caddy import CaddyGateway
from stellwerk.settings import environment
from stellwerk.stack.ports import free_port
from stellwerk.stack.process import Child, Program
from stellwerk.stack.procfile import STOP_SIGNALS

DROPPED_AT_MOST = 5  # once for each change
ANSWER_HEADERS = "X-Answer-With"  # a JSON list of pairs: what the module is to answer


@dataclass(slots=True)
class GatewayProcess:
    """Its process, which may be started anew; `url` is that of the pages."""

    child: Child
    admin: str
    url: str
    gateway: CaddyGateway = field(init=False)

    def __post_init__(self) -> None:
        self.gateway = CaddyGateway(self.admin)

    def client(self) -> httpx.Client:
        """One that asks as the edge does."""
        return httpx.Client(base_url=self.url, timeout=60, transport=_AskingAgain())

    def get(self, path: str, **options: Any) -> httpx.Response:
        """The answer to a GET."""
        with self.client() as client:
            return client.get(path, **options)

    def answers(self) -> bool:
        """Whether it can be told routes."""
        assert not self.child.ended(), self.child.log.read_text()
        try:
            self.gateway.routes()
        except ProviderUnavailable:
            return False
        return True

    def start_again(self) -> None:
        """Kill it and start it once more."""
        self.child.kill()
        self.child.start()
        wait_until(self.answers)


@contextmanager
def running_gateway(home: Path, port: int = 0, **more: str) -> Iterator[GatewayProcess]:
    """The gateway of this home; `more`: what else its environment says."""
    port = port or free_port()
    admin = more.get("STELLWERK_GATEWAY_ADMIN") or f"unix://{home}/gateway/admin.sock"
    variables = {
        "STELLWERK_HOME": str(home),
        "STELLWERK_GATEWAY_PORT": str(port),
        "STELLWERK_GATEWAY_ADMIN": admin,
    }
    program = Program(
        name="gateway",
        role="gateway",
        argv=(sys.executable, "-m", "stellwerk.stack.gateway"),
        env=environment() | variables | more,
        stop_signal=STOP_SIGNALS["gateway"],
    )
    child = Child(program, run=f"gateway-{os.getpid()}-{port}", log=home / "gateway.log")
    child.start()
    made = GatewayProcess(child, admin, f"http://127.0.0.1:{port}")
    try:
        wait_until(made.answers)
        yield made
    finally:
        child.ask_to_end()
        wait_until(lambda: child.ended() or child.pid is None)


@contextmanager
def module(name: str, port: int = 0) -> Iterator[str]:
    """A small module that says what it got; gives its address."""
    server = _Modules(("127.0.0.1", port), type(name, (_Module,), {"who": name}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def joined(url: str) -> ClientConnection:
    """A socket; asked for again like `_AskingAgain`."""
    for _ in range(DROPPED_AT_MOST):
        with suppress(InvalidMessage, ConnectionError):
            return connect(url, open_timeout=60)
    return connect(url, open_timeout=60)


@contextmanager
def talking(process: GatewayProcess, **how: Any) -> Iterator[str]:
    """The address, behind the gateway, of a socket that says what it is told."""
    with serve(_echo, "127.0.0.1", 0, **how) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"127.0.0.1:{server.socket.getsockname()[1]}"
        process.gateway.apply(lambda: {"talk": address})
        try:
            yield process.url.replace("http", "ws") + "/talk/"
        finally:
            server.shutdown()
            thread.join()


def _echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


class _AskingAgain(httpx.HTTPTransport):
    """Caddy may drop what it had not read when its routes changed; the edge asks again, too."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(DROPPED_AT_MOST):
            with suppress(httpx.RemoteProtocolError, httpx.ReadError):
                return super().handle_request(request)
        return super().handle_request(request)


class _Modules(ThreadingHTTPServer):
    request_queue_size = 128


class _Module(BaseHTTPRequestHandler):
    """`/slow?N` sends N lines, one each 20 ms; everything else says what came.

    `/hint` does so after an early hint (103) with the headers that are asked for.
    """

    protocol_version = "HTTP/1.1"
    who = ""

    def do_GET(self) -> None:
        body_bytes = len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        if self.path.startswith("/slow"):
            self._send_slowly(int(self.path.partition("?")[2]))
            return
        seen = {
            "who": self.who,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body_bytes": body_bytes,
        }
        body = json.dumps(seen).encode()
        if self.path.startswith("/hint"):
            self.send_response_only(103)
            self._end_with_asked_headers()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self._end_with_asked_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  http.server's name

    def _end_with_asked_headers(self) -> None:
        for header, value in json.loads(self.headers.get(ANSWER_HEADERS, "[]")):
            self.send_header(header, value)
        self.end_headers()

    def _send_slowly(self, lines: int) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(lines):
            self.wfile.write(f"{number}\n".encode())
            threading.Event().wait(0.02)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its signature
        """Say nothing."""
