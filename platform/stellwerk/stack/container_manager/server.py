"""The server: reads a request, asks the rules, and hands it to Docker.

Every connection carries one request: nothing of a first one can be taken for a second.
"""

import hmac
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import urlsplit

import structlog

from stellwerk.errors import ConfigurationError
from stellwerk.stack.container_manager.refusal import Refused
from stellwerk.stack.container_manager.rules import Passed, handed_out, passed
from stellwerk.stack.container_manager.services import Rules
from stellwerk.stack.container_manager.upstream import connection

log = structlog.get_logger()

BODY_BYTES = 1024**2
BLOCK_BYTES = 64 * 1024
CLIENT_TIMEOUT_S = 10.0
SOCKET_MASK = 0o117  # the owner and the group
REGISTRY = "X-Registry-Auth"  # for an image out of a registry that asks who pulls


@dataclass(frozen=True, slots=True)
class Options:
    """How a container manager serves."""

    listen: str  # unix:///a/path or tcp://host:port
    docker: str
    timeout_s: float
    rules: Rules
    token: str = field(default="", repr=False)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    options: Options
    protocol_version = "HTTP/1.1"
    timeout = CLIENT_TIMEOUT_S
    server_version, sys_version = "container-manager", ""

    def answer(self) -> None:
        """Let it through or refuse it."""
        self.close_connection = True
        try:
            self._authenticate()
            allowed = passed(self.options.rules, self.command, self.path, self._body())
            self._forward(allowed)
        except Refused as refused:
            log.warning("refused", method=self.command, path=self.path[:200], reason=str(refused))
            self._say(refused.status, str(refused))
        except (OSError, HTTPException) as exc:
            log.warning("docker does not answer", reason=str(exc))
            self._say(HTTPStatus.BAD_GATEWAY, f"Docker does not answer: {exc}")

    do_GET = do_POST = do_DELETE = do_HEAD = do_PUT = do_PATCH = do_OPTIONS = answer  # noqa: N815  http.server's names

    def log_message(self, *_: Any) -> None:
        """What is refused is logged with its reason; the rest is Docker's to log."""

    def _authenticate(self) -> None:
        token = self.options.token
        given = self.headers.get("Authorization", "")
        if token and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise Refused("The token is missing or wrong.", HTTPStatus.UNAUTHORIZED)

    def _body(self) -> bytes:
        lengths = self.headers.get_all("Content-Length", [])
        if self.headers.get("Transfer-Encoding") or len(lengths) > 1:
            raise Refused("The body has to come with its length, once.", HTTPStatus.BAD_REQUEST)
        text = lengths[0] if lengths else "0"
        if not (text.isascii() and text.isdecimal()):
            raise Refused("The length of the body is no number.", HTTPStatus.BAD_REQUEST)
        if len(text) > len(str(BODY_BYTES)) or int(text) > BODY_BYTES:
            raise Refused("The body is too large.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return self.rfile.read(int(text))

    def _forward(self, allowed: Passed) -> None:
        options = self.options
        docker = connection(options.docker, options.timeout_s)
        try:
            docker.request(allowed.method, allowed.target, allowed.body, self._headers(allowed))
            self._hand_out(docker.getresponse(), allowed)
        finally:
            docker.close()

    def _headers(self, allowed: Passed) -> dict[str, str]:
        if allowed.body is None:
            return {}
        credentials = self.headers.get(REGISTRY)
        own = {"Content-Type": "application/json"}
        return own | ({REGISTRY: credentials} if credentials else {})

    def _hand_out(self, answer: HTTPResponse, allowed: Passed) -> None:
        """In blocks as they come, for logs stay open; a list only as a whole."""
        if allowed.keep and answer.status == HTTPStatus.OK:
            self._send(answer.status, handed_out(answer.read(), allowed.keep))
            return
        self._begin(answer.status, answer.headers.get("Content-Type", "application/json"))
        with suppress(OSError, HTTPException):  # the status is sent; whoever asked sees the end
            while block := answer.read1(BLOCK_BYTES):
                self.wfile.write(block)

    def _say(self, status: int, message: str) -> None:
        with suppress(OSError):  # whoever asked is gone
            self._send(status, json.dumps({"message": message}).encode())

    def _send(self, status: int, body: bytes) -> None:
        self._begin(status, "application/json", length=len(body))
        self.wfile.write(body)

    def _begin(self, status: int, content_type: str, *, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Connection", "close")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()


class OnPort(ThreadingMixIn, TCPServer):
    """A thread for each request."""

    daemon_threads = True
    allow_reuse_address = True


class OnSocket(ThreadingMixIn, UnixStreamServer):
    """The same on a Unix socket."""

    daemon_threads = True


def server(options: Options) -> OnPort | OnSocket:
    """It listens already. Raises ConfigurationError for a port that anybody could use."""
    handler = type("OfThese", (Handler,), {"options": options})
    place = urlsplit(options.listen)
    if place.scheme == "unix" and place.path:
        return _on_socket(Path(place.path), handler)
    if place.scheme != "tcp" or not place.hostname or place.port is None:
        message = f"Neither unix:///a/path nor tcp://host:port to listen on: {options.listen!r}."
        raise ConfigurationError(message)
    if not options.token:
        raise ConfigurationError("STELLWERK_SWARM_TOKEN is not set: anybody could use the port.")
    return OnPort((place.hostname, place.port), handler)


def _on_socket(path: Path, handler: type[Handler]) -> OnSocket:
    if path.is_socket():  # of one that was killed
        path.unlink()
    before = os.umask(SOCKET_MASK)
    try:
        return OnSocket(str(path), handler)
    finally:
        os.umask(before)
