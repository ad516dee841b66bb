"""Whoever waits or listens counts once, though the realtime process asks web more often."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from embedded import wait_until
from front import Front
from full_stack import PASSWORD, Client
from jobs_over_http import events, opened, submit_for_later
from sockets import talking
from stellwerk.bootstrap import Platform
from stellwerk.identity.service import create_admin

ENTRY = "/admin/config/rates.polls"
THREE = dict.fromkeys(("free", "pro", "enterprise"), "3/h")


@pytest.fixture
def limited(client: Client, front: Front, platform: Platform) -> Iterator[Client]:
    """Three polls an hour. The front outlives the test: it gets its default back."""
    create_admin(platform.runtime.sessions, "root@example.com", PASSWORD)
    admin = Client(front.web_url)
    body = {"email": "root@example.com", "password": PASSWORD}
    token = admin.expect(200, "POST", "/auth/login", json=body)["access_token"]
    admin.session.headers["Authorization"] = f"Bearer {token}"
    admin.expect(200, "PUT", ENTRY, json={"value": THREE})
    yield client
    admin.expect(200, "POST", f"{ENTRY}/reset", json={})


def remaining(answer: requests.Response) -> int:
    assert answer.headers["RateLimit-Policy"] == '"polls";q=3;w=3600'
    return int(answer.headers["RateLimit"].partition("r=")[2].partition(";")[0])


def test_a_wait_counts_once_whenever_it_ends(limited: Client) -> None:
    job_id = submit_for_later(limited)
    for left in (2, 1, 0):
        answer = limited.request("GET", f"/jobs/{job_id}?wait=1")
        assert (answer.status_code, remaining(answer)) == (200, left)
    refused = limited.request("GET", f"/jobs/{job_id}?wait=1")
    assert (refused.status_code, remaining(refused)) == (429, 0)
    assert refused.json()["error"]["code"] == "LIMIT_REACHED"
    assert int(refused.headers["Retry-After"]) > 1000


def test_a_submission_that_waits_counts_as_a_submission(limited: Client) -> None:
    later = {"operation": "diagnostics.echo", "run_at": "2099-01-01T00:00:00Z"}
    answer = limited.request("POST", "/jobs", json=later, headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.headers["RateLimit-Policy"].startswith('"default";')
    assert remaining(limited.request("GET", f"/jobs/{answer.json()['job_id']}")) == 2


def test_a_stream_counts_once(limited: Client) -> None:
    job_id = submit_for_later(limited)
    with events(limited, job_id) as (answer, stream):
        assert remaining(answer) == 2
        assert next(stream).type == "snapshot"
    with opened(limited, "/jobs/events") as (answer, stream):
        assert remaining(answer) == 1
        assert next(stream).type == "snapshot"
    assert remaining(limited.request("GET", f"/jobs/{job_id}")) == 0
    for path in (f"/jobs/{job_id}/events", "/jobs/events"):
        with opened(limited, path) as (refused, _):
            assert (refused.status_code, remaining(refused)) == (429, 0)
            assert int(refused.headers["Retry-After"]) > 1000
            assert refused.json()["error"]["details"]["policy"] == "polls"


def test_a_stream_that_this_process_refuses_tells_what_web_counted(
    client: Client, front: Front
) -> None:
    job_id = submit_for_later(client)
    with ExitStack() as stack:
        for _ in range(front.settings.realtime_listeners_per_user):
            stack.enter_context(opened(client, "/jobs/events"))
        for path in (f"/jobs/{job_id}/events", "/jobs/events"):
            answer, _ = stack.enter_context(opened(client, path))
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")
            assert answer.headers["RateLimit-Policy"].startswith('"polls";')
            assert answer.headers["RateLimit"].startswith('"polls";')
            assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_listening_to_all_of_ones_jobs_counts_as_a_poll(limited: Client) -> None:
    with talking(limited) as talk:
        for _ in range(2):
            assert talk.subscribe("jobs")["event"] == "snapshot"
            talk.say("unsubscribe", channel="jobs")
            assert talk.hear()["type"] == "unsubscribed"
        talk.say("subscribe", channel="jobs")
        refused = talk.hear()
    assert refused["code"] == "LIMIT_REACHED"
    assert refused["details"]["policy"] == "polls"
    assert refused["details"]["retry_after_s"] > 1000
    assert "status" not in refused["details"]


def test_one_id_stands_for_a_request_in_the_answer_and_in_both_processes_logs(
    client: Client, front: Front
) -> None:
    job_id = submit_for_later(client)
    answers = [client.request("GET", f"/jobs/{job_id}?wait=1")]
    for path in (f"/jobs/{job_id}/events", "/jobs/events"):
        with opened(client, path) as (answer, _):
            answers.append(answer)
    for answer in answers:
        request_id = answer.headers["X-Request-ID"]
        for name in ("web", "realtime"):
            wait_until(lambda: request_id in front.log(name))  # noqa: B023  called here


def test_a_socket_counts_its_token_and_each_subscription(limited: Client) -> None:
    jobs = [submit_for_later(limited) for _ in range(3)]
    with talking(limited) as talk:
        for job_id in jobs[:2]:
            assert talk.subscribe(f"job:{job_id}")["event"] == "snapshot"
        talk.say("subscribe", channel=f"job:{jobs[2]}")
        assert talk.hear()["code"] == "LIMIT_REACHED"


def test_a_client_cannot_say_that_it_was_counted(limited: Client) -> None:
    job_id = submit_for_later(limited)
    token = {"X-Stellwerk-Repeat": "guess"}
    left = [
        remaining(limited.request("GET", f"/jobs/{job_id}{query}", headers=token))
        for query in ("", "?wait=1")
    ]
    assert left == [2, 1]
