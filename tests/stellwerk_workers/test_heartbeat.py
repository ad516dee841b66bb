"""What the heartbeat makes of an attempt whose lease has run out: stolen, or still its own."""

import time
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update

from again import in_one_of_few_tries
from embedded import wait_until
from stellwerk.bootstrap import Platform
from stellwerk.jobs import dispatch
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.interruptions import LeaseLost
from stellwerk.jobs.model import Job
from stellwerk_workers.heartbeat import TICK_S
from stellwerk_workers.reports import Came
from trial import Trial, trial

AT_MOST_S = 20.0  # that a handler which nobody stops goes on


def test_an_attempt_whose_job_another_took_over_is_stopped_within_a_second(
    platform: Platform,
) -> None:
    stopped_after_s: list[float] = []

    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        wait_until(lambda: is_rescued(run, ctx))
        assert run.claim(ctx.job_id)
        stolen_at = time.monotonic()
        try:
            ctx.sleep(AT_MOST_S)
        except LeaseLost:
            stopped_after_s.append(time.monotonic() - stolen_at)
            raise

    def lose_one() -> None:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.NOTHING
        job = run.row(job_id)
        assert (job.status, job.attempt, job.finished_at) == ("running", 2, None)
        assert stopped_after_s.pop() < 4 * TICK_S

    with trial(platform, handler) as run:
        in_one_of_few_tries(lose_one)


def test_an_attempt_past_its_lease_that_nobody_took_over_gets_it_back_and_completes(
    platform: Platform,
) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> dict[str, Any]:
        let_lease_run_out(run, ctx)
        ctx.step("late", lambda: None)
        wait_until(lambda: has_lease(run, ctx))
        assert dispatch.rescue_expired(run.runtime) == []
        return {"attempt": ctx.attempt}

    lasting = platform.settings.model_copy(update={"job_lease_s": 60})
    with trial(platform, handler, settings=lasting) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.COMPLETED
    job = run.row(job_id)
    assert (job.result, job.attempt, job.failures) == ({"attempt": 1}, 1, 0)


def is_rescued(run: Trial, ctx: JobContext) -> bool:
    """Whether it was taken from its worker, unless the heartbeat came in between."""
    let_lease_run_out(run, ctx)
    return [lost.job_id for lost, _ in dispatch.rescue_expired(run.runtime)] == [ctx.job_id]


def let_lease_run_out(run: Trial, ctx: JobContext) -> None:
    past = func.now() - timedelta(minutes=5)
    with run.runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == ctx.job_id).values(lease_until=past))


def has_lease(run: Trial, ctx: JobContext) -> bool:
    with run.runtime.sessions() as session:
        query = select(Job.lease_until > func.now()).where(Job.id == ctx.job_id)
        return bool(session.scalar(query))
