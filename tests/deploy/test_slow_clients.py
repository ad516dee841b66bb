"""Clients that send or read slowly, or oddly, keep nobody else waiting."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from caddy_edge import asking, running_edge
from embedded import wait_until
from upstreams import Ports, upstream

pytestmark = pytest.mark.xdist_group("edge")

SLOW_CLIENTS = 100
PATIENCE_S = 60


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """An edge that waits a second for a body and two for headers, before a web of its own."""
    limits = {"EDGE_READ_BODY": "1s", "EDGE_READ_HEADER": "2s"}
    with (
        running_edge(tmp_path_factory.mktemp("strict"), **limits) as chosen,
        upstream("web", chosen.web),
        asking(chosen),
    ):
        yield chosen


def connected(ports: Ports) -> socket.socket:
    return socket.create_connection(("127.0.0.1", ports.edge), timeout=PATIENCE_S)


def exchanged(ports: Ports, request: bytes) -> bytes:
    """All that comes until the edge hangs up."""
    with connected(ports) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/jobs?wait=9"])
def test_a_stalled_body_ends_its_request(strict: Ports, framing: str, path: str) -> None:
    request = f"POST {path} HTTP/1.1\r\nHost: edge\r\n{framing}\r\n\r\n2\r\n"
    with connected(strict) as connection:
        connection.sendall(request.encode())
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 499 ")
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_may_take_longer_than_a_body(strict: Ports, method: str) -> None:
    request = (
        f"{method} /api/v1/slow HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n"
        "Content-Length: 2\r\n\r\n{}"
    )
    # Where the machine kept the edge from reading in time, it is asked again.
    wait_until(lambda: exchanged(strict, request.encode()).startswith(b"HTTP/1.1 200 "))


def test_clients_that_never_end_their_headers_are_cut_off_and_keep_nobody_waiting(
    strict: Ports,
) -> None:
    begun = b"GET /api/v1/jobs HTTP/1.1\r\nHost: edge\r\nX-Slow: "
    with ExitStack() as opened, asking(strict) as client:
        slow = [opened.enter_context(connected(strict)) for _ in range(SLOW_CLIENTS)]
        for connection in slow:
            connection.sendall(begun)
        assert client.get("/api/v1/jobs").is_success
        ends = [until_closed(connection) for connection in slow]
    assert ends == [b""] * SLOW_CLIENTS


def until_closed(connection: socket.socket) -> bytes:
    """What comes until the server hangs up."""
    try:
        return connection.recv(4096)
    except ConnectionError:  # a reset, or a broken pipe where it was closed before it was read
        return b""


@pytest.mark.usefixtures("web")
def test_clients_that_read_nothing_keep_nobody_waiting(client: httpx.Client, ports: Ports) -> None:
    request = f"GET /api/v1/jobs HTTP/1.1\r\nHost: edge\r\nX-Filler: {'x' * 30_000}\r\n\r\n"
    with ExitStack() as opened:
        for _ in range(SLOW_CLIENTS):
            slow = opened.enter_context(socket.create_connection(("127.0.0.1", ports.edge)))
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            slow.sendall(request.encode())
        assert client.get("/api/v1/jobs").is_success


@pytest.mark.usefixtures("web", "client")
@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 2",
    ],
)
def test_a_body_framed_in_two_ways_is_handed_on_in_one(ports: Ports, framing: str) -> None:
    """Go drops the length; were it kept, what follows could be taken for another request."""
    head = f"POST /api/v1/jobs HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n{framing}\r\n\r\n"
    answer = exchanged(ports, head.encode() + b"5\r\nhello\r\n0\r\n\r\n")
    seen = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert seen["body_bytes"] == 5
    assert not {"Content-Length", "Transfer-Encoding"} <= set(seen["headers"])
