"""What a dispatcher learns of a queue: how long wake-ups wait, and how many are of use."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, update

from outbox import Outbox
from stellwerk.bootstrap import Platform
from stellwerk.jobs.model import Job
from stellwerk.jobs.pace import Pace
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.submission import Submission, submit
from stellwerk.jobs.turns import Turn

SLOTS = 4


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runtime(platform: Platform) -> Runtime:
    changed = {"short_slots": SLOTS, "job_republish_after_s": 30.0, "job_window_factor": 4}
    settings = platform.settings.model_copy(update=changed)
    return replace(platform.runtime, publisher=Outbox(), settings=settings)


@pytest.fixture
def pace(runtime: Runtime, clock: Clock) -> Pace:
    return Pace(runtime.settings, "short", clock=clock)


def test_a_wake_up_is_overdue_after_thirty_seconds_where_claims_are_quick(
    runtime: Runtime, pace: Pace, clock: Clock
) -> None:
    for _ in range(10):
        claimed_after(runtime, pace, clock, wait_s=0.5)
    assert pace.republish_after_s == 30


def test_a_wake_up_is_overdue_after_three_times_the_usual_wait_where_that_is_longer(
    runtime: Runtime, pace: Pace, clock: Clock
) -> None:
    for _ in range(10):
        claimed_after(runtime, pace, clock, wait_s=40)
    assert pace.republish_after_s == pytest.approx(120)


def test_a_wake_up_that_was_lost_says_nothing_about_the_wait(
    runtime: Runtime, pace: Pace, clock: Clock
) -> None:
    for _ in range(10):
        claimed_after(runtime, pace, clock, wait_s=1)
    send(runtime, pace)
    clock.now_s += 3600
    claimed_after(runtime, pace, clock, wait_s=1)

    assert pace.usual_wait_s == pytest.approx(1)


def test_the_wait_of_a_wake_up_counts_from_when_it_was_sent_last(
    runtime: Runtime, pace: Pace, clock: Clock
) -> None:
    for _ in range(5):
        job_id = send(runtime, pace)
        clock.now_s += pace.republish_after_s
        pace.note(Turn([wakeup_of(job_id)], may_go_on=False, last_owner=0))
        clock.now_s += 1
        change(runtime, job_id, status="running", attempt=1)
        look(runtime, pace)

    assert pace.usual_wait_s == pytest.approx(1)
    assert pace.republish_after_s == 30


def test_the_window_widens_while_a_backlog_is_claimed_at_once(
    runtime: Runtime, pace: Pace, clock: Clock
) -> None:
    assert pace.window == SLOTS * 4
    for _ in range(2):
        claimed_after(runtime, pace, clock, wait_s=0.3, may_go_on=True)
    assert pace.window == SLOTS * 16
    for _ in range(9):
        claimed_after(runtime, pace, clock, wait_s=0.3, may_go_on=True)
    assert pace.window == SLOTS * runtime.settings.job_window_factor_max
    claimed_after(runtime, pace, clock, wait_s=0.3)
    assert pace.window == SLOTS * 4  # there is no backlog any more


def test_a_wait_ends_with_the_claim_however_late_the_dispatcher_looks(
    runtime: Runtime, pace: Pace, clock: Clock
) -> None:
    job_id = send(runtime, pace, may_go_on=True)
    claimed_at = func.now() - timedelta(seconds=60)
    change(runtime, job_id, status="running", attempt=1, started_at=claimed_at)
    clock.now_s += 60.2
    look(runtime, pace)
    assert pace.usual_wait_s < 0.5
    assert pace.window == SLOTS * 8


def test_the_window_narrows_to_the_slots_where_wake_ups_wait(
    runtime: Runtime, pace: Pace, clock: Clock
) -> None:
    claimed_after(runtime, pace, clock, wait_s=2, may_go_on=True)
    assert pace.window == SLOTS * 2
    send(runtime, pace, may_go_on=True)
    clock.now_s += 600
    look(runtime, pace)
    assert pace.window == SLOTS


def test_waits_of_a_window_that_was_too_wide_narrow_it_once(
    runtime: Runtime, pace: Pace, clock: Clock
) -> None:
    pace.window = SLOTS * 64
    first, second = (send(runtime, pace, may_go_on=True) for _ in range(2))
    clock.now_s += 2
    change(runtime, first, status="running", attempt=1)
    look(runtime, pace)
    assert pace.window == SLOTS * 32

    clock.now_s += 0.25
    change(runtime, second, status="running", attempt=1)
    look(runtime, pace)
    assert pace.window == int(SLOTS * 64 / 2.25)  # as many as were claimed in a second


def claimed_after(
    runtime: Runtime, pace: Pace, clock: Clock, *, wait_s: float, may_go_on: bool = False
) -> None:
    """A wake-up is sent, and claimed so much later."""
    job_id = send(runtime, pace, may_go_on=may_go_on)
    clock.now_s += wait_s
    change(runtime, job_id, status="running", attempt=1)
    look(runtime, pace)


def send(runtime: Runtime, pace: Pace, *, may_go_on: bool = False) -> UUID:
    job_id = submit(runtime, Submission("diagnostics.echo", {}, owner_id=None))
    change(runtime, job_id, published_at=func.now())
    pace.note(Turn([wakeup_of(job_id)], may_go_on=may_go_on, last_owner=0))
    return job_id


def wakeup_of(job_id: UUID) -> Wakeup:
    return Wakeup(job_id, 0, "diagnostics.echo", "short")


def look(runtime: Runtime, pace: Pace) -> None:
    with runtime.sessions() as session:
        pace.look(session)


def change(runtime: Runtime, job_id: UUID, **values: Any) -> None:
    with runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**values))
