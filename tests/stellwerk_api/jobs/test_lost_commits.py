"""Postgres has committed, and its answer never came: the job is there, and is answered as such."""

from collections.abc import Callable, Iterator
from secrets import token_hex
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import func, make_url, select
from werkzeug.test import TestResponse

from api import ApiUser, signed_up
from relay import Relay, relayed
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.jobs.model import Job
from stellwerk.settings import Settings
from stellwerk_api.app import create_app

ECHO = {"operation": "diagnostics.echo", "payload": {"message": "hello"}}

Request = Callable[[ApiUser], TestResponse]


@pytest.fixture
def relay(settings: Settings) -> Iterator[Relay]:
    """It stands in front of Postgres."""
    url = make_url(settings.database())
    with relayed(url.host or "", url.port or 0) as made:
        yield made


@pytest.fixture
def user(platform: Platform, relay: Relay, settings: Settings) -> Iterator[ApiUser]:
    """Somebody whose requests reach Postgres through the relay, with a channel for videos."""
    url = make_url(platform.settings.database()).set(host="127.0.0.1", port=relay.port)
    address = SecretStr(url.render_as_string(hide_password=False))
    through = settings.model_copy(update={"database_url": address})
    here = bootstrap(through, role="tests")
    user = signed_up(create_app(here).test_client())
    assert user.post("/channels", {"name": "Signals"}).status_code == 201
    yield user
    here.close()


def video(user: ApiUser) -> dict[str, Any]:
    (channel,) = user.get("/channels").get_json()["items"]
    payload = {"channel_id": channel["id"], "topic": "Signal boxes", "target_duration": 30}
    return {"operation": "videos.generate", "payload": payload}


def one(user: ApiUser) -> TestResponse:
    return user.post("/jobs", ECHO)


def one_keyed(user: ApiUser) -> TestResponse:
    return user.post("/jobs", ECHO, headers={"Idempotency-Key": token_hex()})


def one_of_a_domain(user: ApiUser) -> TestResponse:
    return user.post("/jobs", video(user))


def bulk(user: ApiUser) -> TestResponse:
    return user.post("/jobs/bulk", {"jobs": [ECHO] * 3})


def bulk_keyed(user: ApiUser) -> TestResponse:
    return user.post("/jobs/bulk", {"jobs": [ECHO] * 3}, headers={"Idempotency-Key": token_hex()})


def bulk_of_a_domain(user: ApiUser) -> TestResponse:
    return user.post("/jobs/bulk", {"jobs": [ECHO, video(user), ECHO]})


@pytest.mark.parametrize(
    ("request_jobs", "committing"),
    [
        (one, b"EXECUTE submit_"),
        (one_keyed, b"EXECUTE submit_"),
        (one_of_a_domain, b"COMMIT"),
        (bulk, b"EXECUTE store_jobs"),
        (bulk_keyed, b"EXECUTE store_jobs_once"),
        (bulk_of_a_domain, b"COMMIT"),
    ],
)
def test_jobs_whose_commit_was_not_answered_are_accepted_once_and_published_next(
    platform: Platform, user: ApiUser, relay: Relay, request_jobs: Request, committing: bytes
) -> None:
    accepted(request_jobs(user))  # so that only the jobs themselves are committed next
    before = stored(platform)

    relay.lose_answer_to(committing)
    answer = request_jobs(user)

    assert relay.lost == 1
    ids = accepted(answer)
    assert stored(platform) == before + len(ids)
    with platform.runtime.sessions() as session:
        jobs = session.scalars(select(Job).where(Job.id.in_(ids))).all()
    assert {job.id for job in jobs} == set(ids)
    assert {job.published_at for job in jobs} == {None}, "nobody was woken up for it"


def test_a_key_whose_commit_was_not_answered_is_known_afterwards(
    platform: Platform, user: ApiUser, relay: Relay
) -> None:
    relay.lose_answer_to(b"EXECUTE submit_")
    first, again = (user.post("/jobs", ECHO, headers={"Idempotency-Key": "a"}) for _ in range(2))

    assert relay.lost == 1
    assert accepted(first) == accepted(again)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert stored(platform) == 1


def accepted(answer: TestResponse) -> list[UUID]:
    assert answer.status_code == 202, answer.text
    body = answer.get_json()
    return [UUID(job["job_id"]) for job in body.get("jobs", [body])]


def stored(platform: Platform) -> int:
    with platform.runtime.sessions() as session:
        return session.scalar(select(func.count()).select_from(Job)) or 0
