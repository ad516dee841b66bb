"""Clients that read or send slowly keep nobody else waiting: edge and granian as real processes."""

import hashlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest

from embedded import wait_until
from front import Front, signed_up_at
from full_stack import Client
from jobs_over_http import submit_for_later
from stellwerk.bootstrap import Platform
from stellwerk.jobs.model import JobArtifact
from stellwerk_api.jobs.downloads import MOST_OF_ONE

SIZE_BYTES = 16 * 2**20  # more than sockets on the way hold
SLOW_CLIENTS = 20  # there are four threads
NAME = "film.mp4"


@pytest.fixture
def front(platform: Platform, front_process: Front) -> Front:  # noqa: ARG001  empties the ledger
    return front_process


@pytest.fixture
def ada(platform: Platform, front: Front) -> Client:
    return signed_up_at(front.url, platform)


@pytest.fixture
def job_id(ada: Client) -> str:
    return submit_for_later(ada)


@pytest.fixture
def sha256(platform: Platform, job_id: str, tmp_path: Path) -> str:
    """Of a large file that the job has made."""
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * (SIZE_BYTES // 256))
    key = f"{job_id}/1/{NAME}"
    stored = platform.artifacts.put(key, file, "video/mp4")
    row = JobArtifact(
        job_id=UUID(job_id),
        name=NAME,
        attempt=1,
        storage_key=key,
        content_type="video/mp4",
        size_bytes=SIZE_BYTES,
        sha256=stored.sha256,
    )
    with platform.runtime.sessions.begin() as session:
        session.add(row)
    return stored.sha256


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def sent(opened: ExitStack, url: str, request: str) -> socket.socket:
    """A connection on which this much was sent, and of which little is read."""
    connection = opened.enter_context(socket.socket())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(60)
    host, _, port = url.removeprefix("http://").partition(":")
    connection.connect((host, int(port)))
    connection.sendall(request.encode())
    return connection


def download(ada: Client, job_id: str) -> str:
    said = ada.session.headers["Authorization"]
    path = f"/api/v1/jobs/{job_id}/artifacts/{NAME}"
    return f"GET {path} HTTP/1.1\r\nHost: edge\r\nAuthorization: {said!s}\r\n\r\n"


def test_slow_readers_of_files_keep_no_poll_waiting(
    opened: ExitStack, front: Front, ada: Client, job_id: str, sha256: str
) -> None:
    request = download(ada, job_id)
    readers = [sent(opened, front.url, request) for _ in range(SLOW_CLIENTS)]
    for reader in readers:
        assert reader.recv(15) == b"HTTP/1.1 200 OK"
    assert {ada.job(job_id)["status"] for _ in range(20)} == {"scheduled"}
    whole = ada.request("GET", f"/jobs/{job_id}/artifacts/{NAME}")
    assert hashlib.sha256(whole.content).hexdigest() == sha256


@pytest.mark.usefixtures("sha256")
def test_downloads_beyond_the_most_of_one_user_are_refused_until_others_end(
    opened: ExitStack, front: Front, ada: Client, job_id: str
) -> None:
    request = download(ada, job_id)
    readers = [sent(opened, front.web_url, request) for _ in range(MOST_OF_ONE)]
    for reader in readers:
        assert reader.recv(15) == b"HTTP/1.1 200 OK"
    path = f"/jobs/{job_id}/artifacts/{NAME}"
    refused = ada.request("GET", path)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json()["error"]["code"] == "UNAVAILABLE"
    assert ada.request("GET", path, headers={"Range": "bytes=0-99"}).status_code == 206
    opened.close()
    wait_until(lambda: ada.request("GET", path).ok)


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_slow_senders_keep_no_poll_waiting(
    opened: ExitStack, front: Front, ada: Client, job_id: str, framing: str
) -> None:
    request = f"POST /api/v1/jobs HTTP/1.1\r\nHost: edge\r\n{framing}\r\n\r\n2\r\n"
    for _ in range(SLOW_CLIENTS):
        sent(opened, front.url, request)
    assert {ada.job(job_id)["status"] for _ in range(20)} == {"scheduled"}


def test_headers_that_never_end_occupy_no_thread_of_granian(
    opened: ExitStack, front: Front, job_id: str
) -> None:
    for _ in range(SLOW_CLIENTS):
        sent(opened, front.web_url, "GET /api/v1/jobs HTTP/1.1\r\nHost: edge\r\nX-Slow: ")
    direct = Client(front.web_url).sign_up()
    assert direct.request("GET", f"/jobs/{job_id}").status_code == 404
