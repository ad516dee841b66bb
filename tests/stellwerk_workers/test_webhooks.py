"""Webhooks by real workers and a real dispatcher, to a real receiver."""

from threading import Event
from typing import Any

import pytest

from embedded import wait_until
from engine import Engine
from hooks import Hook, hook, verified
from receiver import receiving
from stellwerk.bootstrap import Platform

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
