"""Long-polls through the real edge, realtime and web processes."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from embedded import wait_until
from engine import Engine
from front import Front, further_realtime
from full_stack import Client
from jobs_over_http import cancel, submit_for_later
from sockets import numbers_of
from stellwerk.bootstrap import Platform
from stellwerk.stack.ports import free_port

WAIT = {"Prefer": "wait=30"}
AT_ONCE_S = 3.0  # generous: the machine is shared
ECHO = {"operation": "diagnostics.echo", "payload": {"message": "hello"}}


def test_a_submission_that_waits_answers_with_the_finished_job(
    client: Client, engine: Engine
) -> None:
    del engine
    answer = client.request("POST", "/jobs", json=ECHO, headers=WAIT)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Preference-Applied"] == "wait"
    assert answer.json()["status"] == "completed"
    assert answer.json()["result"]["message"] == "hello"


def test_a_job_that_takes_longer_than_the_wait_is_answered_with_202(client: Client) -> None:
    later = {**ECHO, "run_at": "2099-01-01T00:00:00Z"}
    answer = client.request("POST", "/jobs", json=later, headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.headers["Location"].endswith(answer.json()["job_id"])
    assert "Preference-Applied" not in answer.headers
    assert client.slowest_s >= 1


def test_a_repeated_submission_of_a_job_that_has_ended_answers_with_it(client: Client) -> None:
    later = {**ECHO, "run_at": "2099-01-01T00:00:00Z"}
    headers = {"Idempotency-Key": "once", **WAIT}
    job_id = client.expect(202, "POST", "/jobs", json=later, headers={"Idempotency-Key": "once"})[
        "job_id"
    ]
    cancel(client, job_id)
    client.slowest_s = 0

    answer = client.request("POST", "/jobs", json=later, headers=headers)
    assert (answer.status_code, answer.json()["job_id"]) == (200, job_id)
    assert answer.json()["status"] == "cancelled"
    assert answer.headers["Preference-Applied"] == "wait"
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert client.slowest_s < AT_ONCE_S


def test_a_cancel_that_takes_effect_at_once_answers_with_the_ended_job(client: Client) -> None:
    answer = client.request("POST", f"/jobs/{submit_for_later(client)}/cancel", headers=WAIT)
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["finished_at"]


def waits(front: Front) -> int:
    """How many wait now."""
    (line,) = re.findall(r'open{kind="wait"} (\d+)', numbers_of(front))
    return int(line)


def cancel_once_awaited(front: Front, client: Client, job_id: str) -> None:
    wait_until(lambda: waits(front) > 0)
    cancel(client, job_id)


@pytest.mark.parametrize("manner", ["query", "preference"])
def test_a_poll_that_waits_answers_as_soon_as_the_job_ends(
    client: Client, front: Front, manner: str
) -> None:
    job_id = submit_for_later(client)
    other = Client(client.url, client.session)
    client.slowest_s = 0
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(cancel_once_awaited, front, other, job_id)
        if manner == "query":
            answer = client.request("GET", f"/jobs/{job_id}?wait=30")
        else:
            answer = client.request("GET", f"/jobs/{job_id}", headers=WAIT)
        ending.result()
    assert answer.status_code == 200
    assert answer.json()["status"] == "cancelled"
    assert answer.headers["Preference-Applied"] == "wait"
    assert client.slowest_s < 1 + AT_ONCE_S  # from before anybody saw that it waits


def test_a_poll_whose_wait_is_over_shows_the_present_job(client: Client) -> None:
    job_id = submit_for_later(client)
    answer = client.request("GET", f"/jobs/{job_id}?wait=1")
    assert answer.status_code == 200
    assert answer.json()["status"] == "scheduled"
    assert answer.headers["ETag"]
    assert client.slowest_s >= 1


def test_a_conditional_poll_waits_for_news_and_then_says_there_are_none(client: Client) -> None:
    job_id = submit_for_later(client)
    etag = client.request("GET", f"/jobs/{job_id}").headers["ETag"]
    condition = {"If-None-Match": etag}
    answer = client.request("GET", f"/jobs/{job_id}?wait=1", headers=condition)
    assert answer.status_code == 304
    assert client.slowest_s >= 1
    cancel(client, job_id)
    answer = client.request("GET", f"/jobs/{job_id}?wait=30", headers=condition)
    assert answer.status_code == 200
    etag = answer.headers["ETag"]
    answer = client.request("GET", f"/jobs/{job_id}?wait=30", headers={"If-None-Match": etag})
    assert answer.status_code == 304


def test_a_finished_job_is_not_waited_for(client: Client) -> None:
    job_id = submit_for_later(client)
    cancel(client, job_id)
    client.slowest_s = 0
    assert client.request("GET", f"/jobs/{job_id}?wait=30").json()["status"] == "cancelled"
    assert client.slowest_s < AT_ONCE_S


def test_what_flask_refuses_is_refused_at_once_in_its_own_words(
    client: Client, front: Front
) -> None:
    job_id = submit_for_later(client)
    stranger, nobody = Client(front.url).sign_up(), Client(front.url)
    path = f"/jobs/{job_id}?wait=30"
    assert stranger.expect(404, "GET", path)["error"]["code"] == "NOT_FOUND"
    assert nobody.expect(401, "GET", path)["error"]["code"] == "NOT_AUTHENTICATED"
    wrong = {"operation": "diagnostics.sleep", "payload": {"seconds": "long"}}
    answer = client.request("POST", "/jobs", json=wrong, headers=WAIT)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["errors"]
    assert client.request("GET", "/nowhere", headers=WAIT).status_code == 404
    assert client.expect(422, "GET", f"/jobs/{job_id}?wait=soon")["error"]["code"] == (
        "VALIDATION_FAILED"
    )


def test_an_answer_about_no_job_is_handed_on_as_it_is(client: Client) -> None:
    answer = client.request("GET", "/auth/me", headers=WAIT)
    assert answer.status_code == 200
    assert "email" in answer.text
    assert client.slowest_s < AT_ONCE_S


@pytest.fixture(scope="module")
def narrow(front_process: Front, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("narrow")
    with further_realtime(front_process, folder, realtime_max_waiters=1) as front:
        yield front


@contextmanager
def waiting(client: Client, front: Front, job_id: str) -> Iterator[None]:
    """Somebody waits for the job, and hangs up where the block ends."""
    place = urlsplit(client.url)
    with closing(HTTPConnection(place.hostname or "", place.port, timeout=60)) as connection:
        headers = {"Authorization": str(client.session.headers["Authorization"])}
        connection.request("GET", f"/api/v1/jobs/{job_id}?wait=30", headers=headers)
        wait_until(lambda: waits(front) == 1)
        yield


def test_above_the_cap_of_waiters_the_answer_comes_at_once_until_one_hangs_up(
    platform: Platform, narrow: Front
) -> None:
    del platform
    client = Client(narrow.url).sign_up()
    job_id = submit_for_later(client)
    with waiting(client, narrow, job_id):
        client.slowest_s = 0
        assert client.request("GET", f"/jobs/{job_id}?wait=30").status_code == 200
        assert client.slowest_s < AT_ONCE_S
    wait_until(lambda: waits(narrow) == 0)
    client.slowest_s = 0
    assert client.request("GET", f"/jobs/{job_id}?wait=1").status_code == 200
    assert client.slowest_s >= 1


def test_without_the_web_process_a_wait_is_answered_with_the_envelope(
    front: Front, tmp_path: Path
) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    with further_realtime(front, tmp_path, web_address=nowhere) as alone:
        answer = Client(alone.url).request("GET", "/auth/me", headers=WAIT)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "UNAVAILABLE"
    assert answer.headers["Retry-After"]
    assert answer.headers["X-Request-ID"] == answer.json()["error"]["request_id"]
