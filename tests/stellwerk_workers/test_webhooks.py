"""Webhooks by real workers and a real dispatcher, to a real receiver."""

from threading import Event
from typing import Any

import pytest
from sqlalchemy import func, select

from embedded import wait_until
from engine import Engine
from hooks import Hook, document, hook, verified
from receiver import receiving
from stellwerk.bootstrap import Platform
from stellwerk.jobs.model import Job
from stellwerk.jobs.submission import Submission, submit

DELIVERED_WITHIN_S = 60
HELD_AT_MOST_S = 60


def first_settled(made: Hook) -> dict[str, Any]:
    """The one delivery, once it is under way no more."""
    wait_until(
        lambda: [one["status"] != "pending" for one in made.deliveries()] == [True],
        timeout_s=DELIVERED_WITHIN_S,
    )
    return made.deliveries()[0]


@pytest.mark.usefixtures("engine")
def test_a_receiver_that_fails_five_times_takes_the_delivery_once_it_works(
    platform: Platform,
) -> None:
    with receiving([500, 503, 404, 302, 429, 200]) as receiver:
        made = hook(platform, receiver.url)
        job_id = made.submit()
        delivery = first_settled(made)
    assert delivery["status"] == "delivered"
    statuses = [one["status_code"] for one in delivery["attempts"]]
    assert statuses == [500, 503, 404, 302, 429, 200]
    assert len(receiver.requests) == 6
    assert {request.headers["webhook-id"] for request in receiver.requests} == {
        delivery["webhook_id"]
    }
    for request in receiver.requests:
        assert verified(request, made.secret)["data"]["job_id"] == str(job_id)


@pytest.mark.usefixtures("engine")
def test_a_receiver_that_never_works_is_given_up_after_eight_tries(platform: Platform) -> None:
    with receiving([500]) as receiver:
        made = hook(platform, receiver.url, event_types=["job.completed"])
        made.submit()
        delivery = first_settled(made)
    assert delivery["status"] == "failed"
    assert len(delivery["attempts"]) == len(receiver.requests) == 8


@pytest.mark.usefixtures("engine")
def test_receivers_of_many_users_that_keep_silent_leave_half_of_the_slots_to_others(
    platform: Platform,
) -> None:
    released, half = Event(), platform.settings.short_slots // 2
    with receiving([200], before_answer=lambda: released.wait(HELD_AT_MOST_S)) as receiver:
        hooks = [hook(platform, receiver.url) for _ in range(3)]
        for made in hooks * 2:
            made.submit()
        wait_until(lambda: len(receiver.requests) >= half, timeout_s=DELIVERED_WITHIN_S)
        other = submit(platform.runtime, Submission("diagnostics.echo", {}, None))

        def is_other_done() -> bool:
            assert deliveries_at_work(platform) <= half
            return str(document(platform.runtime, other)["status"]) == "completed"

        wait_until(is_other_done)
        assert not any(made.deliveries()[0]["status"] == "delivered" for made in hooks)
        released.set()
        wait_until(lambda: all(map(is_all_delivered, hooks)), timeout_s=DELIVERED_WITHIN_S)


def deliveries_at_work(platform: Platform) -> int:
    query = select(func.count()).select_from(Job)
    with platform.runtime.sessions() as session:
        busy = query.where(Job.operation == "webhooks.deliver", Job.status == "running")
        return session.scalar(busy) or 0


def is_all_delivered(made: Hook) -> bool:
    return [one["status"] for one in made.deliveries()] == ["delivered"] * 2


def test_a_worker_killed_between_call_and_outcome_delivers_again_under_the_same_id(
    platform: Platform, engine: Engine
) -> None:
    killed = Event()
    with receiving([200], before_answer=lambda: killed.wait(HELD_AT_MOST_S)) as receiver:
        made = hook(platform, receiver.url)
        made.submit()
        wait_until(lambda: receiver.requests, timeout_s=DELIVERED_WITHIN_S)
        engine.kill("short")
        killed.set()
        engine.start("short")
        delivery = first_settled(made)
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert delivery["status"] == "delivered"
    assert len(ids) >= 2
    assert set(ids) == {delivery["webhook_id"]}
    for request in receiver.requests:
        assert verified(request, made.secret)
