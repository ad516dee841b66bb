"""Caddy's admin API, over a socket of our user's or over TCP."""

import json
import socket
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, RemoteDisconnected
from typing import Any
from urllib.parse import urlsplit

from stellwerk.errors import ProviderUnavailable

TIMEOUT_S = 10.0
TRIES = 10
JSON = {"Content-Type": "application/json"}
DROPPED = (RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What Caddy answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AdminApi:
    """By `unix:///path` or `http://host:port`; requests raise ProviderUnavailable.

    Nothing stays open between them: the next may be made in a process that was forked. With each
    change of its configuration Caddy opens the API anew and drops what it has not begun to read,
    so what was dropped is sent again: every request here may be.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)

    def get(self, path: str) -> Answer:
        """What stands there; its version is the `Etag`."""
        return self._ask("GET", path)

    def patch(self, path: str, content: Any, *, version: str) -> Answer:
        """Put this in its place; 412 where it is not of this version any more."""
        return self._ask("PATCH", path, json.dumps(content), {"If-Match": version, **JSON})

    def _ask(self, *request: Any) -> Answer:
        try:
            for _ in range(TRIES):
                with suppress(*DROPPED):
                    return self._asked(*request)
            return self._asked(*request)
        except (OSError, HTTPException) as exc:
            message = "The gateway of modules does not answer."
            raise ProviderUnavailable(message, retry_after_s=2) from exc

    def _asked(self, *request: Any) -> Answer:
        with closing(self._connection()) as connection:
            connection.request(*request)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def _connection(self) -> HTTPConnection:
        if self._parts.scheme == "unix":
            return _Local(self._parts.path)
        return HTTPConnection(self._parts.netloc, timeout=TIMEOUT_S)


class _Local(HTTPConnection):
    """Over a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Open it."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
