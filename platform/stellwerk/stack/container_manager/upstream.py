"""Docker itself, as the container manager reaches it."""

import socket
from http.client import HTTPConnection
from urllib.parse import urlsplit

from stellwerk.errors import ConfigurationError

PORT = 2375


class UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def connection(url: str, timeout_s: float) -> HTTPConnection:
    """One to `unix:///a/path` or `tcp://host:port`; nothing is opened yet."""
    parts = urlsplit(url)
    if parts.scheme == "unix" and parts.path:
        return UnixConnection(parts.path, timeout_s)
    if parts.scheme == "tcp" and parts.hostname:
        return HTTPConnection(parts.hostname, parts.port or PORT, timeout=timeout_s)
    raise ConfigurationError(f"Docker's address {url!r} is neither unix:///a/path nor tcp://host.")
