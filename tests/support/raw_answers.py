"""A server on a raw socket that answers, or does not, as it is told."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event
from typing import Any
from urllib.parse import urlsplit

Answer = Callable[["Request"], bytes | None]


@dataclass(frozen=True, slots=True)
class Request:
    """What came: of the body all."""

    method: str
    path: str
    query: str
    body: bytes


@dataclass
class RawServer:
    """Counts what it gets. An answer of None: the connection is reset once all was read."""

    answer: Answer
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    ended: Event = field(default_factory=Event)

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        while not self.ended.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = read_request(connection)
            self.requests.append(request)
            answer = self.answer(request)
            if answer is None:
                reset = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            else:
                connection.sendall(answer)


def read_request(connection: socket.socket) -> Request:
    """The whole of it; raises ConnectionError where nothing comes."""
    with connection.makefile("rb") as lines:
        line = lines.readline().decode()
        if not line:
            raise ConnectionError("It was closed.")
        method, target, _ = line.split(" ", 2)
        length = 0
        while field_line := lines.readline().strip():
            name, _, value = field_line.decode().partition(":")
            length = int(value) if name.lower() == "content-length" else length
        parts = urlsplit(target)
        return Request(method, parts.path, parts.query, lines.read(length))


def http(status: int, body: Any, **headers: str) -> bytes:
    """An answer as JSON."""
    text = json.dumps(body).encode()
    own = {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in own.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}Connection: close\r\n\r\n".encode() + text


@contextmanager
def raw_server(answer: Answer) -> Iterator[RawServer]:
    """One on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = RawServer(answer, f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            with suppress(OSError), socket.create_connection(listener.getsockname(), 60):
                pass
            thread.join(60)


def closed_port() -> str:
    """The address of a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
