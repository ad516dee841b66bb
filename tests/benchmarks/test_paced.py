import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat

import pytest

from benchmarks.exchange import Connection, Request
from benchmarks.paced import paced

STALL_S = 0.5


class Answering(BaseHTTPRequestHandler):
    """Answers at once, except its first request; `/bare` without saying how long the body is."""

    protocol_version = "HTTP/1.1"
    stalls = threading.Semaphore(0)

    def do_GET(self) -> None:
        if self.stalls.acquire(blocking=False):
            time.sleep(STALL_S)
        if self.path == "/closing":
            self.close_connection = True
            return
        self.send_response(200 if self.path != "/missing" else 404)
        if self.path != "/bare":
            self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with serving() as found:
        yield found


@contextmanager
def serving() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_requests_that_pile_up_behind_a_stall_count_from_when_they_were_due(url: str) -> None:
    Answering.stalls.release()

    user = repeat(Request("GET", "/", kind="get"))

    result = paced(url, [user], per_s=50, seconds=0.4, patience_s=60)

    waited = sorted(result.durations_s["get"])
    assert len(waited) == 20
    assert waited[0] > 0.05  # the last one was due 0.38 s into a stall of 0.5 s
    assert result.figures()["kinds"]["get"]["count"] == 20


def test_a_server_that_falls_far_behind_is_spared_the_rest(url: str) -> None:
    Answering.stalls.release()
    user = repeat(Request("GET", "/", kind="get"))

    result = paced(url, [user], per_s=50, seconds=0.4, patience_s=0.1)

    figures = result.figures()
    assert 0 < figures["not_sent"] < 20
    assert figures["failed"] == {}
    assert figures["count"] == figures["kinds"]["get"]["count"] == 20 - figures["not_sent"]
    assert figures["per_s"] == pytest.approx(figures["count"] / result.seconds, abs=0.1)


def test_refusals_are_counted_by_kind_and_status_and_are_no_throughput(url: str) -> None:
    users = [repeat(Request("GET", path, kind=path)) for path in ("/", "/missing")]

    result = paced(url, users, per_s=100, seconds=0.2, patience_s=60)

    assert result.failed == {"/missing 404": 10}
    assert result.figures()["count"] == 10
    assert list(result.figures()["kinds"]) == ["/"]


def test_a_server_that_hangs_up_ends_the_measurement(url: str) -> None:
    with pytest.raises(ConnectionError):
        paced(url, [repeat(Request("GET", "/closing"))], per_s=50, seconds=0.2)


def test_paced_load_takes_no_guess_either(url: str) -> None:
    with pytest.raises(ValueError, match="not found"):
        paced(url, [repeat(Request("GET", "/bare"))], per_s=50, seconds=0.2)


def test_an_answer_without_a_length_is_an_error_and_not_a_guess(url: str) -> None:
    async def ask() -> None:
        connection = await Connection.to(url)
        try:
            await connection.send(Request("GET", "/bare").encoded)
        finally:
            await connection.close()

    with pytest.raises(ValueError, match="not found"):
        asyncio.run(ask())
