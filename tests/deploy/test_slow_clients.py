"""Clients that send or read slowly, or oddly, keep nobody else waiting."""

import json
import socket
from contextlib import ExitStack

import httpx
import pytest

from upstreams import Ports

SLOW_CLIENTS = 100


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
def test_clients_that_never_end_their_headers_are_cut_off_and_keep_nobody_waiting(
    client: httpx.Client, ports: Ports
) -> None:
    with ExitStack() as opened:
        slow = [
            opened.enter_context(socket.create_connection(("127.0.0.1", ports.edge), timeout=10))
            for _ in range(SLOW_CLIENTS)
        ]
        for connection in slow:
            connection.sendall(b"GET /api/v1/jobs HTTP/1.1\r\nHost: edge\r\nX-Slow: ")
        assert client.get("/api/v1/jobs").is_success
        ends = [until_closed(connection) for connection in slow]
    assert ends == [b""] * SLOW_CLIENTS


def until_closed(connection: socket.socket) -> bytes:
    """What comes until the server hangs up."""
    try:
        return connection.recv(4096)
    except ConnectionResetError:
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
    with socket.create_connection(("127.0.0.1", ports.edge), timeout=10) as connection:
        connection.sendall(head.encode() + b"5\r\nhello\r\n0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    seen = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert seen["body_bytes"] == 5
    assert not {"Content-Length", "Transfer-Encoding"} <= set(seen["headers"])
