"""The shipped Caddyfile in a real Caddy, before two small upstreams that say what they got."""

import json
import os
import socket
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event

import httpx
import pytest

from embedded import wait_until
from stellwerk.settings import environment
from stellwerk.stack.ports import free_port
from stellwerk.stack.process import Child, Program

CADDYFILE = Path(__file__).resolve().parents[2] / "deploy" / "Caddyfile"


class Upstream(BaseHTTPRequestHandler):
    """Answers with its server's name, the headers it saw and how much body it read."""

    who = ""

    def do_GET(self) -> None:
        body_bytes = self.read_body()
        if body_bytes is None:
            return
        if self.path == "/api/v1/slow":
            Event().wait(2)
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


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    folder = tmp_path_factory.mktemp("edge")
    chosen = Ports(free_port(), free_port(), free_port(), free_port())
    env = {
        **environment(),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "CADDY_ADMIN": "off",
        "EDGE_READ_BODY": "1s",
        "EDGE_SITE": f"http://:{chosen.edge}",
        "STELLWERK_WEB_ADDRESS": f"127.0.0.1:{chosen.web}",
        "STELLWERK_REALTIME_PORT": str(chosen.realtime),
        "FLOWER_PORT": str(chosen.flower),
    }
    caddy = f"{sysconfig.get_path('scripts')}/caddy"
    argv = (caddy, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile")
    program = Program(name="edge", role="edge", argv=argv, env=env)
    child = Child(program, run=f"edge-{os.getpid()}", log=folder / "log")
    child.start()
    with upstream("realtime", chosen.realtime), upstream("flower", chosen.flower):
        yield chosen
    child.ask_to_end()
    wait_until(lambda: child.ended() or child.pid is None)


@pytest.fixture
def client(ports: Ports) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{ports.edge}", timeout=20) as made:
        wait_until(lambda: reaches(made))
        yield made


def reaches(client: httpx.Client) -> bool:
    try:
        return client.get("/flower/").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def web(ports: Ports) -> Iterator[None]:
    with upstream("web", ports.web):
        yield


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize(
    ("path", "headers", "who"),
    [
        ("/api/v1/jobs", {}, "web"),
        ("/api/v1/jobs", {"Prefer": "return=minimal"}, "web"),
        ("/api/v1/jobs?waiting=1", {}, "web"),
        ("/api/v1/jobs", {"Prefer": "wait=10"}, "realtime"),
        ("/api/v1/jobs", {"Prefer": "respond-async, wait=10"}, "realtime"),
        ("/api/v1/jobs/1?wait=5", {}, "realtime"),
        ("/api/v1/jobs/1/events", {"Accept": "text/event-stream"}, "realtime"),
        ("/ws", {"Connection": "Upgrade", "Upgrade": "websocket"}, "realtime"),
        ("/api/v1/ws", {"Connection": "Upgrade", "Upgrade": "websocket"}, "realtime"),
        ("/api/v1/metrics/realtime", {}, "realtime"),
        ("/api/v1/metrics", {}, "web"),
        ("/flower/api/workers", {}, "flower"),
    ],
)
def test_what_lasts_goes_to_realtime_and_all_else_to_web(
    client: httpx.Client, path: str, headers: dict[str, str], who: str
) -> None:
    answer = client.get(path, headers=headers)
    assert (answer.json()["who"], answer.json()["path"]) == (who, path)


@pytest.mark.usefixtures("web")
def test_forwarded_headers_of_the_client_are_overwritten(client: httpx.Client) -> None:
    headers = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
    seen = client.get("/api/v1/jobs", headers=headers).json()["headers"]
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "http"


@pytest.mark.usefixtures("web")
def test_answers_do_not_say_what_serves_them(client: httpx.Client) -> None:
    answer = client.get("/api/v1/jobs")
    assert {"server", "via"}.isdisjoint(answer.headers)


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize("size_bytes", [2**20 + 1, 2 * 2**20, 20 * 2**20])
def test_too_large_a_body_gets_the_envelope(client: httpx.Client, size_bytes: int) -> None:
    answer = client.post("/api/v1/jobs", content=b"x" * size_bytes)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error["code"] == "PAYLOAD_TOO_LARGE"
    assert error["request_id"] == answer.headers["x-request-id"]
    assert error["timestamp"].endswith("Z")


@pytest.mark.usefixtures("web")
def test_a_body_of_unknown_length_is_bounded_too(client: httpx.Client) -> None:
    answer = client.post("/api/v1/jobs", content=(b"x" * 65536 for _ in range(32)))
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"


@pytest.mark.usefixtures("web")
def test_a_body_of_1_mib_passes(client: httpx.Client) -> None:
    answer = client.post("/api/v1/jobs", content=b"x" * 2**20)
    assert answer.json()["body_bytes"] == 2**20


def test_a_web_process_that_is_gone_is_an_envelope_with_retry_after(client: httpx.Client) -> None:
    answer = client.get("/api/v1/jobs")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["error"]["code"] == "UNAVAILABLE"
    assert {"server", "via"}.isdisjoint(answer.headers)


def test_a_request_during_a_restart_waits_rather_than_fails(
    client: httpx.Client, ports: Ports
) -> None:
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(client.get("/x").status_code))
    thread.start()
    thread.join(0.5)
    assert not answers
    with upstream("web", ports.web):
        thread.join(10)
    assert answers == [200]


@pytest.mark.usefixtures("web", "client")
@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/jobs?wait=9"])
def test_a_stalled_body_ends_its_request(ports: Ports, framing: str, path: str) -> None:
    request = f"POST {path} HTTP/1.1\r\nHost: edge\r\n{framing}\r\n\r\n2\r\n"
    with socket.create_connection(("127.0.0.1", ports.edge), timeout=10) as connection:
        connection.sendall(request.encode())
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 499 ")
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answered_request_keeps_its_connection(client: httpx.Client, method: str) -> None:
    answers = [client.request(method, "/api/v1/jobs", content=b"{}") for _ in range(2)]
    assert not [answer for answer in answers if "connection" in answer.headers]
    streams = [answer.extensions["network_stream"] for answer in answers]
    assert streams[0] is streams[1]


@pytest.mark.usefixtures("web")
def test_an_answer_may_take_longer_than_a_body(client: httpx.Client) -> None:
    for method in ("GET", "POST"):
        slow = client.request(method, "/api/v1/slow", content=b"{}")
        assert slow.json()["path"] == "/api/v1/slow"
