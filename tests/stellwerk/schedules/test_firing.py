import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

import clockwork
from engine import as_variables
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.errors import NotPermitted
from stellwerk.identity.model import User
from stellwerk.jobs import budget, control
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import unit
from stellwerk.schedules import service
from stellwerk.schedules.firing import fire_due, run_now
from stellwerk.schedules.model import Schedule, ScheduleFire
from stellwerk.settings import environment

START = datetime(2026, 5, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def owner_id(platform: Platform) -> int:
    return add_user(platform)


def add(platform: Platform, owner_id: int, **fields: Any) -> UUID:
    """A schedule that is due every minute from START on, unless told otherwise."""
    values = {"name": "test", "operation": "diagnostics.echo", "interval_s": 60, **fields}
    with platform.runtime.sessions.begin() as session:
        made = service.create(session, platform.runtime.registry, owner_id, values, limit=10)
        made.starts_at = START
        made.next_fire_at = made.timing.after(START - MINUTE)
        return made.id


def fires(platform: Platform) -> list[ScheduleFire]:
    with platform.runtime.sessions() as session:
        return list(session.scalars(select(ScheduleFire).order_by(ScheduleFire.fire_at)))


def outcomes(platform: Platform) -> list[str]:
    return [fire.outcome for fire in fires(platform)]


def jobs(platform: Platform) -> list[Job]:
    with platform.runtime.sessions() as session:
        return list(session.scalars(select(Job).order_by(Job.id)))


def end_all(platform: Platform, *of_schedules: UUID) -> None:
    """Of these schedules, or of every one."""
    tags = {f"schedule:{schedule_id}" for schedule_id in of_schedules}
    for job in jobs(platform):
        if job.finished_at is None and (not tags or tags & set(job.tags)):
            control.cancel(platform.runtime, job.id)


def change(platform: Platform, schedule_id: UUID, how: Callable[[Session, Schedule], None]) -> None:
    with platform.runtime.sessions.begin() as session:
        how(session, session.get_one(Schedule, schedule_id))


def in_a_zone_that_is_no_more(_: Session, schedule: Schedule) -> None:
    schedule.interval_s, schedule.cron, schedule.time_zone = None, "* * * * *", "Nowhere/Gone"


def test_a_due_time_submits_its_job_for_the_owner_once(platform: Platform, owner_id: int) -> None:
    schedule_id = add(platform, owner_id, payload={"message": "hello"}, tags=["mornings"])
    assert fire_due(platform.runtime, START - MINUTE) == 0
    assert fire_due(platform.runtime, START) == 1
    assert fire_due(platform.runtime, START) == 0

    (job,) = jobs(platform)
    assert (job.owner_id, job.operation, job.payload["message"]) == (
        owner_id,
        "diagnostics.echo",
        "hello",
    )
    assert job.tags == ["mornings", f"schedule:{schedule_id}"]
    (fire,) = fires(platform)
    assert (fire.fire_at, fire.outcome, fire.job_id) == (START, "submitted", job.id)


def test_a_time_is_skipped_while_the_job_before_it_is_not_finished(
    platform: Platform, owner_id: int
) -> None:
    add(platform, owner_id, overlap="skip")
    for minute in range(3):
        fire_due(platform.runtime, START + minute * MINUTE)
    assert outcomes(platform) == ["submitted", "skipped", "skipped"]
    end_all(platform)
    fire_due(platform.runtime, START + 3 * MINUTE)
    assert outcomes(platform) == ["submitted", "skipped", "skipped", "submitted"]


def test_a_job_that_still_runs_is_not_forgotten_over_many_that_were_run_by_hand(
    platform: Platform, owner_id: int
) -> None:
    schedule_id = add(platform, owner_id, overlap="skip")
    waiting_id = add(platform, owner_id, overlap="queue")
    fire_due(platform.runtime, START)
    running = {fire.job_id for fire in fires(platform)}
    for _ in range(25):
        with unit(platform.runtime) as work:
            for one in (schedule_id, waiting_id):
                run_now(platform.runtime, work, work.session.get_one(Schedule, one))
    for job in jobs(platform):
        if job.id not in running:
            control.cancel(platform.runtime, job.id)

    for _ in range(2):
        fire_due(platform.runtime, START + MINUTE)

    (skipped, waiting) = (fire for fire in fires(platform) if fire.fire_at == START + MINUTE)
    assert {skipped.outcome, waiting.outcome} == {"skipped", "waiting"}


def test_queued_times_run_one_after_the_other(platform: Platform, owner_id: int) -> None:
    add(platform, owner_id, overlap="queue")
    for minute in range(3):
        fire_due(platform.runtime, START + minute * MINUTE)
    assert outcomes(platform) == ["submitted", "waiting", "waiting"]
    end_all(platform)
    fire_due(platform.runtime, START + 2 * MINUTE)
    assert outcomes(platform) == ["submitted", "submitted", "waiting"]
    fire_due(platform.runtime, START + 2 * MINUTE)
    assert outcomes(platform) == ["submitted", "submitted", "waiting"]
    end_all(platform)
    fire_due(platform.runtime, START + 2 * MINUTE)
    assert len(jobs(platform)) == 3


def test_a_queue_of_waiting_times_has_an_end(platform: Platform, owner_id: int) -> None:
    settings = platform.settings.model_copy(update={"schedule_waiting_max": 2})
    runtime = replace(platform.runtime, settings=settings)
    add(platform, owner_id, overlap="queue")
    for minute in range(4):
        fire_due(runtime, START + minute * MINUTE)
    assert outcomes(platform) == ["submitted", "waiting", "waiting", "skipped"]


def test_paused_and_busy_schedules_keep_no_waiting_time_of_others_from_its_turn(
    platform: Platform, owner_id: int
) -> None:
    made = [add(platform, owner_id, overlap="queue") for _ in range(3)]
    for minute in (0, 0, 0, 1, 1, 1):  # a schedule in each turn
        fire_due(platform.runtime, START + minute * MINUTE, batch=1)
    assert outcomes(platform) == ["submitted"] * 3 + ["waiting"] * 3
    change(platform, made[0], service.pause)
    end_all(platform, made[0], made[2])

    fire_due(platform.runtime, START + MINUTE, batch=1)

    (released,) = [fire for fire in fires(platform) if fire.fire_at > START and fire.job_id]
    assert released.schedule_id == made[2]


def test_a_schedule_that_cannot_be_heeded_does_not_stop_the_others(
    platform: Platform, owner_id: int
) -> None:
    lost, innocent = add(platform, owner_id), add(platform, owner_id)
    change(platform, lost, in_a_zone_that_is_no_more)

    fire_due(platform.runtime, START)

    assert [fire.schedule_id for fire in fires(platform)] == [innocent]


def test_overlapping_jobs_are_allowed_where_that_is_wanted(
    platform: Platform, owner_id: int
) -> None:
    add(platform, owner_id, overlap="allow")
    for minute in range(3):
        fire_due(platform.runtime, START + minute * MINUTE)
    assert outcomes(platform) == ["submitted"] * 3


@pytest.mark.parametrize(
    ("misfire", "outcome", "count"), [("skip", "missed", 0), ("run_once", "submitted", 1)]
)
def test_times_that_passed_while_no_dispatcher_ran_are_skipped_or_run_once(
    platform: Platform, owner_id: int, *, misfire: str, outcome: str, count: int
) -> None:
    schedule_id = add(platform, owner_id, interval_s=600, misfire=misfire)
    now = START + timedelta(minutes=35)
    fire_due(platform.runtime, now)
    (fire,) = fires(platform)
    expected = (START + timedelta(minutes=30), outcome, 3)
    assert (fire.fire_at, fire.outcome, fire.missed) == expected
    assert len(jobs(platform)) == count
    with platform.runtime.sessions() as session:
        planned = session.get_one(Schedule, schedule_id).next_fire_at
    assert planned == START + timedelta(minutes=40)


def test_a_time_that_is_only_a_little_late_is_not_missed(platform: Platform, owner_id: int) -> None:
    add(platform, owner_id, interval_s=600)
    fire_due(platform.runtime, START + timedelta(seconds=1800 + 30))
    (fire,) = fires(platform)
    assert (fire.outcome, fire.missed) == ("submitted", 3)


def test_a_refused_job_is_written_down_and_the_schedule_goes_on(
    platform: Platform, owner_id: int
) -> None:
    add(platform, owner_id, overlap="allow")
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, owner_id).is_active = False
    fire_due(platform.runtime, START)
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, owner_id).is_active = True
    fire_due(platform.runtime, START + MINUTE)
    first, second = fires(platform)
    assert (first.outcome, first.reason) == ("refused", "The owner's account is not active.")
    assert (second.outcome, len(jobs(platform))) == ("submitted", 1)


def test_an_owner_who_lost_the_permission_is_refused(platform: Platform, owner_id: int) -> None:
    add(platform, owner_id, operation="diagnostics.fail")
    fire_due(platform.runtime, START)
    (fire,) = fires(platform)
    assert fire.outcome == "refused"
    assert "diagnostics:run" in fire.reason


def test_a_paused_schedule_is_not_due_and_misses_nothing(platform: Platform, owner_id: int) -> None:
    schedule_id = add(platform, owner_id)
    with platform.runtime.sessions.begin() as session:
        service.pause(session, session.get_one(Schedule, schedule_id))
    assert fire_due(platform.runtime, START + 5 * MINUTE) == 0
    with platform.runtime.sessions.begin() as session:
        schedule = session.get_one(Schedule, schedule_id)
        service.resume(session, schedule)
        assert schedule.next_fire_at
        assert schedule.next_fire_at > session.scalars(text("SELECT now()")).one()
    assert outcomes(platform) == []


def test_run_by_hand_ignores_the_overlap_policy_but_not_permissions(
    platform: Platform, owner_id: int
) -> None:
    schedule_id = add(platform, owner_id)
    for _ in range(2):
        with unit(platform.runtime) as work:
            run_now(platform.runtime, work, work.session.get_one(Schedule, schedule_id))
    assert [(fire.outcome, fire.by_hand) for fire in fires(platform)] == [("submitted", True)] * 2
    with platform.runtime.sessions.begin() as session:
        session.get_one(User, owner_id).is_active = False
    with pytest.raises(NotPermitted), unit(platform.runtime) as work:
        run_now(platform.runtime, work, work.session.get_one(Schedule, schedule_id))


def test_many_dispatchers_at_once_submit_each_time_once(platform: Platform, owner_id: int) -> None:
    for _ in range(5):
        add(platform, owner_id, overlap="allow")
    together = Barrier(4, timeout=60)  # raises where one of them does not come

    def dispatch() -> int:
        heeded = 0
        for minute in range(4):
            now = START + minute * MINUTE
            together.wait()
            heeded += fire_due(platform.runtime, now)
            is_last = together.wait() == 0
            while is_last and (left := fire_due(platform.runtime, now)):  # by one that was slow
                heeded += left
        return heeded

    with ThreadPoolExecutor(4) as pool:
        heeded = sum(one.result() for one in [pool.submit(dispatch) for _ in range(4)])
    assert heeded == 5 * 4
    assert len(jobs(platform)) == 5 * 4


def test_a_sweep_that_has_taken_its_time_leaves_the_rest_to_the_next(
    platform: Platform, owner_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        add(platform, owner_id)
    # Used up by the first: a real one would take seconds of slow schedules.
    monkeypatch.setattr(budget, "BUDGET_S", 0.0)
    assert [fire_due(platform.runtime, START) for _ in range(4)] == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("night", "daily", "half_hourly"),
    [
        ("2026-03-28T22:00:00+00:00", ["2026-03-29T01:00:00+00:00"], 14),
        ("2026-10-24T22:00:00+00:00", ["2026-10-25T00:30:00+00:00"], 14),
    ],
)
def test_over_a_change_of_the_clocks_two_dispatchers_of_which_one_is_killed_heed_each_time_once(
    platform: Platform, owner_id: int, *, night: str, daily: list[str], half_hourly: int
) -> None:
    start = datetime.fromisoformat(night)
    end = start + timedelta(hours=7)
    daily_id = add_at(platform, owner_id, start, "30 2 * * *")
    often_id = add_at(platform, owner_id, start, "*/30 * * * *")
    with clock(platform, start, end) as first, clock(platform, start, end) as second:
        for _ in range(12):
            assert first.stdout
            assert first.stdout.readline()
        first.kill()
        assert second.wait(120) == 0, second.communicate()
    found = fires(platform)
    heeded = [fire.fire_at.astimezone(UTC) for fire in found if fire.schedule_id == daily_id]
    assert heeded == [datetime.fromisoformat(at) for at in daily]
    often = [fire.fire_at.astimezone(UTC) for fire in found if fire.schedule_id == often_id]
    assert often == [start + timedelta(minutes=30 * n) for n in range(1, half_hourly + 1)]
    assert {fire.outcome for fire in found} == {"submitted"}
    assert sorted(fire.job_id for fire in found if fire.job_id) == [
        job.id for job in jobs(platform)
    ]


def add_at(platform: Platform, owner_id: int, start: datetime, expression: str) -> UUID:
    schedule_id = add(
        platform,
        owner_id,
        interval_s=None,
        cron=expression,
        time_zone="Europe/Zurich",
        overlap="allow",
    )
    with platform.runtime.sessions.begin() as session:
        schedule = session.get_one(Schedule, schedule_id)
        schedule.starts_at, schedule.next_fire_at = start, None
        schedule.next_fire_at = schedule.timing.after(start)
    return schedule_id


@contextmanager
def clock(platform: Platform, start: datetime, end: datetime) -> Iterator[subprocess.Popen[str]]:
    arguments = [start.isoformat(), end.isoformat(), "300"]
    process = subprocess.Popen(  # noqa: S603  our own script
        [sys.executable, str(Path(clockwork.__file__)), *arguments],
        env=environment() | as_variables(platform.settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
