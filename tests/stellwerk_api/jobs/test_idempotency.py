"""`Idempotency-Key`: a request that is sent again is carried out once."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import func, select, text, update
from werkzeug.test import TestResponse

from api import ApiUser, error_of, in_an_hour
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.jobs import control
from stellwerk.jobs.model import IdempotencyKey, Job
from stellwerk.jobs.operation import Operation, Registry
from stellwerk.settings import Settings
from stellwerk_api import context
from stellwerk_api.app import create_app

LATER = in_an_hour()
KEY = "8e03978e-40d5-43dd"


def submit(user: ApiUser, key: str = KEY, **body: Any) -> TestResponse:
    whole = {"operation": "diagnostics.echo", "run_at": LATER, **body}
    return user.post("/jobs", whole, headers={"Idempotency-Key": key})


def count(platform: Platform, table: type[Any]) -> int | None:
    with platform.runtime.sessions() as session:
        return session.scalar(select(func.count()).select_from(table))


def test_a_repeated_submission_is_the_same_job_in_its_present_state(
    ada: ApiUser, platform: Platform
) -> None:
    first = submit(ada)
    control.cancel(platform.runtime, first.get_json()["job_id"])
    again = submit(ada)

    assert (first.status_code, again.status_code) == (202, 202)
    present = {"status": "cancelled", "links": again.get_json()["links"]}  # no cancel any more
    assert again.get_json() == first.get_json() | present
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert count(platform, Job) == 1


def test_the_same_body_may_be_written_in_another_way(ada: ApiUser, platform: Platform) -> None:
    bodies = (
        b'{"operation":"diagnostics.echo","payload":{"message":"a"},"run_at":"%s"}',
        b'{ "run_at": "%s", "payload": {"message": "\\u0061"}, "operation": "diagnostics.echo" }',
    )
    for body in bodies:
        answer = ada.post(
            "/jobs",
            data=body % LATER.encode(),
            content_type="application/json",
            headers={"Idempotency-Key": KEY},
        )
        assert answer.status_code == 202
    assert count(platform, Job) == 1


def test_another_body_with_the_same_key_is_422(ada: ApiUser, platform: Platform) -> None:
    submit(ada)
    error = error_of(submit(ada, payload={"message": "other"}), 422)
    assert error["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert count(platform, Job) == 1


@pytest.mark.parametrize("renewed", ["jwt_secret_key", "encryption_key"])
def test_a_request_is_known_again_after_a_change_of_secrets(
    ada: ApiUser, settings: Settings, renewed: str
) -> None:
    user = ada.with_key()
    first = submit(user)
    value = "a new secret of thirty-two or more bytes"
    if renewed == "encryption_key":
        value += "," + settings.encryption_keys()[0]
    changed = settings.model_copy(update={renewed: SecretStr(value)})
    with closing(bootstrap(changed, role="tests-renewed")) as other:
        again = submit(ApiUser(create_app(other).test_client(), user.credentials))

    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.get_json()["job_id"] == first.get_json()["job_id"]


def test_a_key_belongs_to_its_sender_and_its_route(
    ada: ApiUser, bob: ApiUser, platform: Platform
) -> None:
    mine, yours = (submit(user).get_json()["job_id"] for user in (ada, bob))
    assert mine != yours
    headers = {"Idempotency-Key": KEY}
    cancelled = ada.post(f"/jobs/{mine}/cancel", headers=headers)
    assert cancelled.get_json()["status"] == "cancelled"
    assert "Idempotency-Replayed" not in cancelled.headers
    other = submit(ada, key="other").get_json()["job_id"]
    assert ada.post(f"/jobs/{other}/cancel", headers=headers).get_json()["status"] == "cancelled"
    assert count(platform, IdempotencyKey) == 5


def test_a_refused_request_leaves_its_key_free(ada: ApiUser, platform: Platform) -> None:
    held = ada.submit(unique_key="daily")
    error = error_of(submit(ada, unique_key="daily"), 409)
    assert error["details"]["job_id"] == held
    error_of(submit(ada, payload={"colour": "red"}), 422)
    assert count(platform, IdempotencyKey) == 0
    control.cancel(platform.runtime, held)  # type: ignore[arg-type]  # Postgres reads it as well
    answer = submit(ada, unique_key="daily")
    assert answer.status_code == 202
    assert "Idempotency-Replayed" not in answer.headers


def test_a_repeated_submission_is_no_duplicate_of_itself(ada: ApiUser) -> None:
    first, again = (submit(ada, unique_key="daily") for _ in range(2))
    assert again.get_json()["job_id"] == first.get_json()["job_id"]


def test_while_the_first_request_is_under_way_the_second_is_told_to_come_again(
    ada: ApiUser, platform: Platform
) -> None:
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(chr(31), :o, :r, :k), 0))")
    with platform.engine.begin() as first:
        first.execute(lock, {"o": ada.user["id"], "r": "jobs.submit", "k": KEY})
        answer = submit(ada)
        assert error_of(answer, 409)["code"] == "IDEMPOTENCY_KEY_IN_USE"
        assert answer.headers["Retry-After"] == "1"
    assert submit(ada).status_code == 202


def test_an_expired_key_is_a_new_one(ada: ApiUser, platform: Platform) -> None:
    first = submit(ada).get_json()["job_id"]
    with platform.runtime.sessions.begin() as session:
        session.execute(update(IdempotencyKey).values(expires_at=func.now()))
    second = submit(ada, payload={"message": "new"})
    assert second.get_json()["job_id"] != first
    assert submit(ada, payload={"message": "new"}).get_json() == second.get_json()
    assert count(platform, IdempotencyKey) == 1


@pytest.mark.parametrize(
    ("first", "second"), [("abc", '"abc"'), (r'"a\"\\b c"', r'"a\"\\b c"'), ("k" * 255, "k" * 255)]
)
def test_a_key_is_the_same_with_and_without_quotes(
    ada: ApiUser, first: str, second: str, platform: Platform
) -> None:
    assert submit(ada, key=first).status_code == submit(ada, key=second).status_code == 202
    assert count(platform, Job) == 1


@pytest.mark.parametrize(
    "key", ["", '""', '"open', 'a"b', "a,b", "a b", "ä", '"a\\b"', '"a";p=1', "k" * 256]
)
def test_a_malformed_key_is_400(ada: ApiUser, key: str, platform: Platform) -> None:
    assert error_of(submit(ada, key=key), 400)["code"] == "MALFORMED_REQUEST"
    assert count(platform, Job) == 0


def test_a_repeated_retry_queues_the_job_once(ada: ApiUser, platform: Platform) -> None:
    job_id = ada.submit()
    headers = {"Idempotency-Key": KEY}
    assert ada.post(f"/jobs/{job_id}/cancel").status_code == 202
    first = ada.post(f"/jobs/{job_id}/retry", headers=headers)
    again = ada.post(f"/jobs/{job_id}/retry", headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.headers["Idempotency-Replayed"] == "true"
    error_of(ada.post(f"/jobs/{job_id}/retry"), 409)
    assert count(platform, Job) == 1


def test_a_repeated_signal_is_stored_once_and_another_one_is_refused(ada: ApiUser) -> None:
    job_id, headers = ada.submit(), {"Idempotency-Key": KEY}
    for is_repeated in (False, True):
        answer = ada.post(f"/jobs/{job_id}/signal", {"name": "go", "data": 1}, headers=headers)
        assert answer.status_code == 202
        assert ("Idempotency-Replayed" in answer.headers) is is_repeated
    other = ada.post(f"/jobs/{job_id}/signal", {"name": "go", "data": 2}, headers=headers)
    assert error_of(other, 422)["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_a_repeated_generation_is_one_video(ada: ApiUser) -> None:
    channel = ada.post("/channels", {"name": "Signals"}).get_json()["id"]
    body = {"channel_id": channel, "topic": "Signal boxes", "target_duration": 30}
    headers = {"Idempotency-Key": KEY}
    first, again = (ada.post("/videos/generate", body, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202), again.text
    assert again.get_json()["video_id"] == first.get_json()["video_id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(ada.get("/videos").get_json()["items"]) == 1


@pytest.mark.parametrize(
    ("collection", "body", "action"),
    [
        ("/schedules", {"operation": "diagnostics.echo", "name": "x", "interval_s": 3600}, "run"),
        ("/webhook-endpoints", {"url": "http://127.0.0.1:9/"}, "test"),
    ],
)
def test_an_action_that_makes_a_job_of_its_own_makes_one(
    ada: ApiUser, platform: Platform, collection: str, body: dict[str, Any], action: str
) -> None:
    made = ada.post(collection, body)
    assert made.status_code == 201, made.text
    path = f"{collection}/{made.get_json()['id']}/{action}"
    first, again = (ada.post(path, headers={"Idempotency-Key": KEY}) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202), again.text
    assert again.get_json() == first.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert count(platform, Job) == 1


@pytest.fixture
def demanding(application: Flask, platform: Platform) -> Iterator[str]:
    """An operation that API keys cannot submit without an Idempotency-Key."""
    echo: Operation = platform.runtime.registry.get("diagnostics.echo")
    strict = replace(echo, name="diagnostics.once", requires_idempotency_key=True)
    runtime = replace(platform.runtime, registry=Registry((echo, strict)))
    application.extensions[context.EXTENSION] = replace(platform, runtime=runtime)
    yield strict.name
    application.extensions[context.EXTENSION] = platform


def test_an_operation_may_demand_a_key_of_machines_but_not_of_people(
    ada: ApiUser, demanding: str
) -> None:
    machine = ada.with_key()
    body = {"operation": demanding, "run_at": LATER}
    error = error_of(machine.post("/jobs", body), 400)
    assert error["code"] == "IDEMPOTENCY_KEY_REQUIRED"
    assert submit(machine, operation=demanding).status_code == 202
    assert ada.post("/jobs", body).status_code == 202
