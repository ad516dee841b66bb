"""Serves a handler on HOST and PORT until SIGTERM, and answers what was begun before it ends.

All modules here have this same file. It runs on Python 3.9 and newer, without any package.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWERED_WITHIN_S = 8.0  # after SIGTERM; a runtime that kills waits longer
BEGUN_WITHIN_S = 0.1  # until a connection that was just taken counts as begun
BODY_AT_MOST = 1024 * 1024  # bytes


class Server(ThreadingHTTPServer):
    """One thread and one request for each connection."""

    daemon_threads = True  # who connected and asks for nothing is not waited for
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__((os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])), handler)
        self.timeout = 0  # of handle_request
        self.begun: set[BaseHTTPRequestHandler] = set()

    def serve_until_ended(self) -> None:
        """Return after SIGTERM or Ctrl-C, when everything that was begun has been answered."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._end)
        self.serve_forever(poll_interval=0.05)
        for _ in range(self.request_queue_size):  # who waits to be taken is answered as well
            self.handle_request()
        self.server_close()
        time.sleep(BEGUN_WITHIN_S)
        until = time.monotonic() + ANSWERED_WITHIN_S
        while self.begun and time.monotonic() < until:
            time.sleep(0.01)

    def _end(self, *_: Any) -> None:
        threading.Thread(target=self.shutdown).start()  # it waits for serve_forever


class Handler(BaseHTTPRequestHandler):
    """Answers one request; the connection is closed behind it."""

    server: Server
    timeout = 20  # seconds for each read
    server_version = "StellwerkModule"
    sys_version = ""

    def parse_request(self) -> bool:
        """From here on it is waited for."""
        self.server.begun.add(self)
        return super().parse_request()

    def finish(self) -> None:
        """What was written is on its way."""
        try:
            super().finish()
        finally:
            self.server.begun.discard(self)

    def body(self) -> bytes | None:
        """At most 1 MiB of what was sent; None for more."""
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(length) if 0 <= length <= BODY_AT_MOST else None

    def answer_json(self, value: Mapping[str, Any], status: int = 200) -> None:
        """Any page may read it: nothing here is anybody's own."""
        self.answer(json.dumps(value).encode(), "application/json", status)

    def answer(self, content: bytes, content_type: str, status: int = 200) -> None:
        """Never cached, since the next answer may be another instance's."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002, ARG002  http.server's
        """A line for each request, but for the checks of its health."""
        if self.path != "/health":
            print(self.command, self.path, *arguments[1:], flush=True)


def who() -> dict[str, str]:
    """What tells this instance from others."""
    return {
        "module": os.environ.get("MODULE_NAME", ""),
        "version": os.environ.get("MODULE_VERSION", ""),
        "instance_id": os.environ.get("INSTANCE_ID", ""),
    }
