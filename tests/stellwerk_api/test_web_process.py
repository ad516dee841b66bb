"""The application as it is run: granian's processes, asked over real sockets."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from embedded import wait_until
from front import Front, running_front, signed_up_at
from full_stack import PASSWORD, Client
from jobs_over_http import submit_for_later
from stellwerk.bootstrap import Platform
from stellwerk.identity.service import create_admin
from stellwerk.settings import Settings

TIMEOUT_S = 60


pytestmark = pytest.mark.xdist_group("web_process")  # so that one front is started


@pytest.fixture(scope="module")
def front(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("front")
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
        with running_front(settings, folder) as running:
            yield running


@pytest.fixture(params=["web_url", "url"], ids=["granian", "edge"])
def ada(
    front: Front,
    platform: Platform,
    request: pytest.FixtureRequest,
) -> Client:
    return signed_up_at(getattr(front, request.param), platform)


def test_a_job_is_submitted_polled_and_cancelled(ada: Client) -> None:
    job_id = submit_for_later(ada)
    first = ada.request("GET", f"/jobs/{job_id}")
    assert (first.status_code, first.json()["status"]) == (200, "scheduled")
    again = ada.request("GET", f"/jobs/{job_id}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert ada.request("POST", f"/jobs/{job_id}/cancel").json()["status"] == "cancelled"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_413_in_the_envelope(ada: Client, chunked: bool) -> None:  # noqa: FBT001  a case
    body = b'{"operation":"diagnostics.echo","payload":{"message":"' + b"x" * 1_500_000 + b'"}}'
    data: Any = iter([body]) if chunked else body
    headers = {"Content-Type": "application/json"}
    answer = ada.request("POST", "/jobs", data=data, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"


def test_a_chunked_body_is_read(ada: Client) -> None:
    data = iter([b'{"operation":', b'"diagnostics.echo"}'])
    headers = {"Content-Type": "application/json"}
    assert ada.request("POST", "/jobs", data=data, headers=headers).status_code == 202


@pytest.mark.parametrize("path", ["/%ff%fe", "/jobs/%00", "/" + "x" * 8000, "/jobs/..%2f..%2fetc"])
def test_an_odd_path_is_404_in_the_envelope(ada: Client, path: str) -> None:
    answer = ada.request("GET", path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("size_bytes", [5_000, 900_000, 1_900_000])
def test_a_body_that_nobody_read_does_not_spoil_the_connection(
    ada: Client, size_bytes: int
) -> None:
    for _ in range(5):
        refused = ada.request("POST", "/nothing", data=b"x" * size_bytes)
        assert refused.status_code in {404, 413}
        assert ada.request("POST", "/jobs", json={"operation": "diagnostics.echo"}).ok


def test_many_at_once_are_all_answered(ada: Client) -> None:
    def submit(_: int) -> int:
        body = {"operation": "diagnostics.echo"}
        headers = {"Authorization": str(ada.session.headers["Authorization"])}
        url = f"{ada.url}/api/v1/jobs"
        return requests.post(url, json=body, headers=headers, timeout=TIMEOUT_S).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(submit, range(64))) == {202}


def test_fifty_identical_submissions_at_once_are_one_job(ada: Client) -> None:
    headers = {
        "Authorization": str(ada.session.headers["Authorization"]),
        "Idempotency-Key": '"one-job"',
    }

    def submit(_: int) -> requests.Response:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            answer = requests.post(
                f"{ada.url}/api/v1/jobs",
                json={"operation": "diagnostics.echo"},
                headers=headers,
                timeout=TIMEOUT_S,
            )
            if answer.status_code != 409:
                break
            assert answer.json()["error"]["code"] == "IDEMPOTENCY_KEY_IN_USE"
            assert answer.headers["Retry-After"] == "1"
        return answer

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(submit, range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert len(ada.expect(200, "GET", "/jobs")["items"]) == 1


def test_raw_nonsense_does_not_stop_the_process(front: Front) -> None:
    port = int(front.web_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\n\r\n")
        assert b"500" not in connection.recv(100)
    assert requests.get(f"{front.web_url}/health/live", timeout=TIMEOUT_S).ok


def find_me(front: Front) -> list[dict[str, Any]]:
    """What web's log has of the request of that id, in whole lines."""
    lines = front.log("web").rpartition("\n")[0].splitlines()
    entries = [json.loads(line) for line in lines if "find-me" in line]
    return [entry for entry in entries if entry["event"] == "request"]


def test_every_request_is_a_line_of_json_in_the_log(ada: Client, front: Front) -> None:
    ada.request("GET", "/operations", headers={"X-Request-ID": "find-me"})
    wait_until(lambda: find_me(front))
    entry = find_me(front)[0]
    assert (entry["route"], entry["status"]) == ("/api/v1/operations", 200)
    assert entry["duration_ms"] > 0


def test_processes_that_share_a_folder_add_their_metrics_up(
    front: Front, platform: Platform
) -> None:
    create_admin(platform.runtime.sessions, "root@example.com", PASSWORD)
    admin = Client(front.web_url)
    login = {"email": "root@example.com", "password": PASSWORD}
    token = admin.expect(200, "POST", "/auth/login", json=login)["access_token"]
    admin.session.headers["Authorization"] = f"Bearer {token}"
    text = admin.request("GET", "/metrics").text
    assert 'stellwerk_http_request_duration_seconds_count{method="POST"' in text
    assert "stellwerk_postgres_up 1.0" in text
    assert list(front.folder.glob("histogram_*.db"))


def test_no_secret_is_in_the_log(ada: Client, front: Front) -> None:
    text = front.log("web")
    assert str(ada.session.headers["Authorization"]).removeprefix("Bearer ") not in text
    assert "correct horse" not in text
    assert Path(front.folder, "web.log").exists()
