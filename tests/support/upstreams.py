"""Small servers in place of web, realtime and Flower, that say what an edge sent them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event

import httpx

from stellwerk.stack.ports import free_port

# A path, its request's headers, and who has to get it.
ROUTES: list[tuple[str, dict[str, str], str]] = [
    ("/api/v1/jobs", {}, "web"),
    ("/api/v1/jobs", {"Prefer": "return=minimal"}, "web"),
    ("/api/v1/jobs?waiting=1", {}, "web"),
    ("/api/v1/jobs", {"Prefer": "wait=10"}, "realtime"),
    ("/api/v1/jobs", {"Prefer": "respond-async, wait=10"}, "realtime"),
    ("/api/v1/jobs/1?wait=5", {}, "realtime"),
    ("/api/v1/jobs/1/events", {"Accept": "text/event-stream"}, "realtime"),
    ("/ws", {"Connection": "Upgrade", "Upgrade": "websocket"}, "realtime"),
    ("/api/v1/ws", {"Connection": "Upgrade", "Upgrade": "websocket"}, "realtime"),
    ("/ws", {"Connection": "keep-alive, upgrade", "Upgrade": "WebSocket"}, "realtime"),
    ("/api/v1/jobs/1/events", {"Accept": "Text/Event-Stream"}, "realtime"),
    ("/api/v1/metrics/realtime", {}, "realtime"),
    ("/api/v1/metrics", {}, "web"),
    ("/flower/api/workers", {}, "flower"),
]


class Upstream(BaseHTTPRequestHandler):
    """Answers with its server's name, the headers it saw and how much body it read."""

    who = ""

    def do_GET(self) -> None:
        body_bytes = self.read_body()
        if body_bytes is None:
            return
        if self.path == "/api/v1/slow":
            Event().wait(2)
        if self.path == "/api/v1/never":
            self.rfile.read(1)  # until whoever asked hangs up
            return
        seen = {
            "who": self.who,
            "path": self.path,
            "headers": dict(self.headers),
            "body_bytes": body_bytes,
        }
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def read_body(self) -> int | None:
        """How many bytes came; None where the connection broke off before the end."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        total = 0
        while size_line := self.rfile.readline():
            size = int(size_line, 16)
            total += len(self.rfile.read(size))
            self.rfile.readline()
            if size == 0:
                return total
        return None

    do_POST = do_GET  # noqa: N815  http.server's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its signature
        """Say nothing."""


@dataclass(frozen=True)
class Ports:
    edge: int
    web: int
    realtime: int
    flower: int
    modules: int = field(default_factory=free_port)
    gateway: int = field(default_factory=free_port)


@contextmanager
def upstream(name: str, port: int) -> Iterator[None]:
    handler = type(name, (Upstream,), {"who": name})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reaches(client: httpx.Client) -> bool:
    """Whether the edge answers and finds what stands behind it."""
    try:
        return client.get("/flower/").is_success
    except httpx.TransportError:
        return False
