"""Polls that are answered before Flask's dispatch differ in nothing from those it answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, request_started
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from api import UNKNOWN_ID, ApiUser, error_of
from embedded import wait_until
from stellwerk.bootstrap import Platform
from stellwerk.live import keys

ROUTE = "/api/v1/jobs/<uuid:job_id>"
BY_FLASK = "?wait=0"  # a parameter is unusual, and this one changes nothing


@contextmanager
def dispatched(application: Flask) -> Iterator[list[str]]:
    """Paths of the requests that reach Flask."""
    seen: list[str] = []

    def note(_: Flask, **__: Any) -> None:
        seen.append("one")

    with request_started.connected_to(note, application):
        yield seen


def polled(application: Flask, user: ApiUser, path: str, **headers: str) -> TestResponse:
    """The answer to a poll that has to be a quick one."""
    with dispatched(application) as seen:
        answer = user.get(path, headers={"X-Request-ID": "poll-1", **headers})
    assert not seen, "it was left to Flask"
    return answer


@pytest.fixture(params=["token", "key", "key in its own header"])
def user(platform: Platform, ada: ApiUser, request: pytest.FixtureRequest) -> ApiUser:
    """Somebody whom Redis knows."""
    who = ada if request.param == "token" else ada.with_key(scopes=["read"])
    if request.param == "key in its own header":
        text = who.credentials["Authorization"].removeprefix("Bearer ")
        who = ApiUser(who.client, {"X-API-Key": text}, who.user)
    who.get("/jobs")
    platform.live_client.redis.set(keys.SESSIONS_SWEPT, "1", ex=600)
    return who


def jobs_in_several_states(ada: ApiUser) -> dict[str, str]:
    queued = ada.post("/jobs", {"operation": "diagnostics.echo"}).get_json()["job_id"]
    ended = ada.submit()
    ada.post(f"/jobs/{ended}/cancel")
    return {"queued": queued, "scheduled": ada.submit(), "cancelled": ended}


def test_a_quick_answer_and_flasks_are_the_same_header_by_header(
    application: Flask, ada: ApiUser, user: ApiUser
) -> None:
    for status, job_id in jobs_in_several_states(ada).items():
        quick = polled(application, user, f"/jobs/{job_id}")
        flasks = user.get(f"/jobs/{job_id}{BY_FLASK}", headers={"X-Request-ID": "poll-1"})
        assert quick.get_json()["status"] == status
        assert (quick.status, quick.data) == (flasks.status, flasks.data)
        assert dict(quick.headers) == dict(flasks.headers)
        assert ("Retry-After" in quick.headers) == (status != "cancelled")

        known = {"If-None-Match": quick.headers["ETag"]}
        quick = polled(application, user, f"/jobs/{job_id}", **known)
        flasks = user.get(f"/jobs/{job_id}{BY_FLASK}", headers={"X-Request-ID": "poll-1", **known})
        assert quick.status_code == 304
        assert (quick.status, quick.data) == (flasks.status, flasks.data)
        assert dict(quick.headers) == dict(flasks.headers)


def test_a_quick_answer_is_logged_and_measured_like_flasks(
    application: Flask, ada: ApiUser, user: ApiUser
) -> None:
    job_id = ada.submit()
    before = measured()
    with capture_logs() as lines:
        polled(application, user, f"/jobs/{job_id}")
        user.get(f"/jobs/{job_id}{BY_FLASK}", headers={"X-Request-ID": "poll-1"})
    quick, flasks = ({**line, "duration_ms": 0} for line in lines if line["event"] == "request")
    assert quick == flasks
    assert (quick["route"], quick["request_id"]) == (ROUTE, "poll-1")
    assert quick["user_id"] == ada.user["id"]
    assert measured() == before + 2


def measured() -> float:
    labels = {"route": ROUTE, "method": "GET", "status": "200"}
    name = "stellwerk_http_request_duration_seconds_count"
    return REGISTRY.get_sample_value(name, labels) or 0


def test_an_ill_formed_request_id_is_replaced(
    application: Flask, ada: ApiUser, user: ApiUser
) -> None:
    job_id = ada.submit()
    answer = polled(application, user, f"/jobs/{job_id}", **{"X-Request-ID": "no spaces here"})
    assert len(answer.headers["X-Request-ID"]) == 36


@pytest.mark.parametrize(
    ("method", "suffix", "headers", "status"),
    [
        ("HEAD", "", {}, 200),
        ("GET", "/", {}, 200),
        ("GET", "?wait=1", {}, 200),
        ("GET", "?colour=red", {}, 422),
        ("GET", "", {"Origin": "https://example.com"}, 200),
        ("GET", "", {"If-None-Match": "*"}, 304),
        ("GET", "", {"If-None-Match": '"0", {etag}'}, 304),
        ("GET", "", {"If-None-Match": "W/{etag}"}, 304),
        ("POST", "", {}, 405),
    ],
)
def test_what_is_unusual_is_left_to_flask(
    application: Flask,
    ada: ApiUser,
    method: str,
    suffix: str,
    headers: dict[str, str],
    status: int,
) -> None:
    job_id = ada.submit()
    etag = ada.get(f"/jobs/{job_id}").headers["ETag"]
    given = {name: value.format(etag=etag) for name, value in headers.items()}
    with dispatched(application) as seen:
        answer = ada.send(method, f"/jobs/{job_id}{suffix}", headers=given)
    assert (answer.status_code, len(seen)) == (status, 1)


def test_refusals_are_flasks(ada: ApiUser, bob: ApiUser, nobody: ApiUser) -> None:
    job_id = ada.submit()
    error_of(bob.get(f"/jobs/{job_id}"), 404)
    error_of(bob.get(f"/jobs/{UNKNOWN_ID}"), 404)
    error_of(nobody.get(f"/jobs/{job_id}"), 401)
    error_of(ApiUser(ada.client, {"Authorization": "Bearer x"}).get(f"/jobs/{job_id}"), 401)
    error_of(ada.with_key(scopes=["write"]).get(f"/jobs/{job_id}"), 403)
    ada.post("/auth/logout")
    error_of(ada.get(f"/jobs/{job_id}"), 401)


def test_a_lost_script_and_a_closed_connection_are_no_reason_to_fail(
    application: Flask, platform: Platform, ada: ApiUser
) -> None:
    job_id = ada.submit()
    ada.get("/jobs")
    redis = platform.live_client.redis
    redis.set(keys.SESSIONS_SWEPT, "1", ex=600)
    polled(application, ada, f"/jobs/{job_id}")
    redis.script_flush()
    polled(application, ada, f"/jobs/{job_id}")
    redis.client_kill_filter(_type="normal", skipme=True)
    wait_until(lambda: ada.get(f"/jobs/{job_id}").status_code == 200)
    polled(application, ada, f"/jobs/{job_id}")
