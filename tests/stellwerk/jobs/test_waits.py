from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, update

from stellwerk.bootstrap import Platform
from stellwerk.errors import Conflict, ErrorCode
from stellwerk.jobs import control, dispatch
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.model import Job, JobSignal, JobStep
from stellwerk_workers.reports import Came
from trial import Trial, trial


def approval(ctx: JobContext, _: dict[str, Any]) -> dict[str, Any]:
    return {"answer": ctx.wait_for("approval", timeout_s=60)}


def test_a_waiting_job_gives_its_worker_back_and_goes_on_with_the_signals_data(
    platform: Platform,
) -> None:
    with trial(platform, approval) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.AGAIN
        assert run.document(job_id)["status"] == "waiting"

        control.signal(run.runtime, job_id, "approval", data={"by": "ann"})

        assert run.document(job_id)["status"] == "queued"
        assert run.attempt(job_id).came is Came.COMPLETED
    assert run.document(job_id)["result"] == {"answer": {"by": "ann"}}


def test_a_signal_sent_before_the_wait_is_not_lost(platform: Platform) -> None:
    with trial(platform, approval) as run:
        job_id = run.submit()
        control.signal(run.runtime, job_id, "approval", data=1)
        assert run.attempt(job_id).came is Came.COMPLETED
    assert run.document(job_id)["result"] == {"answer": 1}


def test_a_signal_that_comes_while_the_job_suspends_sends_it_on_at_once(
    platform: Platform,
) -> None:
    def handler(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        try:
            return approval(ctx, payload)
        finally:
            if ctx.attempt == 1:
                control.signal(run.runtime, ctx.job_id, "approval", data=2)

    with trial(platform, handler) as run:
        job_id = run.submit()
        run.attempt(job_id)
        assert run.document(job_id)["status"] == "queued"
        assert run.attempt(job_id).came is Came.COMPLETED


def test_a_repeated_signal_with_the_same_key_counts_once(platform: Platform) -> None:
    def twice(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.wait_for("tick", timeout_s=60, key="1")
        ctx.wait_for("tick", timeout_s=60, key="2")

    with trial(platform, twice) as run:
        job_id = run.submit()
        for _ in range(2):
            control.signal(run.runtime, job_id, "tick", dedupe_key="event-1")
        run.attempt(job_id)
        assert run.document(job_id)["status"] == "waiting"


def test_waits_of_one_name_take_one_signal_each_in_order(platform: Platform) -> None:
    def thrice(ctx: JobContext, _: dict[str, Any]) -> dict[str, Any]:
        return {"ticks": [ctx.wait_for("tick", timeout_s=60) for _ in range(3)]}

    with trial(platform, thrice) as run:
        job_id = run.submit()
        for tick in (1, 2):
            control.signal(run.runtime, job_id, "tick", data=tick)
        assert run.attempt(job_id).came is Came.AGAIN
        control.signal(run.runtime, job_id, "tick", data=3)
        assert run.attempt(job_id).came is Came.COMPLETED
    assert run.document(job_id)["result"] == {"ticks": [1, 2, 3]}


def test_signals_that_no_wait_takes_are_bounded_and_those_taken_make_room(
    platform: Platform,
) -> None:
    settings = platform.settings.model_copy(update={"job_signals_max": 2})
    with trial(platform, approval, settings=settings) as run:
        job_id = run.submit()
        control.signal(run.runtime, job_id, "approval")
        control.signal(run.runtime, job_id, "other", dedupe_key="once")
        with pytest.raises(Conflict, match="has taken some, or cancel the job") as refused:
            control.signal(run.runtime, job_id, "other")
        assert refused.value.code is ErrorCode.SIGNAL_LIMIT_REACHED
        control.signal(run.runtime, job_id, "other", dedupe_key="once")
        with run.runtime.sessions.begin() as session:
            session.execute(
                update(JobSignal).where(JobSignal.name == "approval").values(consumed_at=func.now())
            )
        control.signal(run.runtime, job_id, "other")


def test_a_wait_that_runs_out_fails_the_job_and_is_not_prolonged_by_attempts(
    platform: Platform,
) -> None:
    with trial(platform, approval) as run:
        job_id = run.submit()
        run.attempt(job_id)
        _let_wait_run_out(run, job_id)

        assert dispatch.wake_overdue_waits(run.runtime) == 1
        assert run.attempt(job_id).came is Came.FAILED
    assert run.document(job_id)["error"]["code"] == "SIGNAL_TIMEOUT"


def test_a_waiting_job_is_cancelled_at_once(platform: Platform) -> None:
    with trial(platform, approval) as run:
        job_id = run.submit()
        run.attempt(job_id)
        control.cancel(run.runtime, job_id)
        assert run.document(job_id)["status"] == "cancelled"
        with pytest.raises(Conflict):
            control.signal(run.runtime, job_id, "approval")


def _let_wait_run_out(run: Trial, job_id: Any) -> None:
    past = func.now() - timedelta(seconds=1)
    with run.runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(wait_until=past))
        session.execute(
            update(JobStep)
            .where(JobStep.job_id == job_id)
            .values(output={"until": "2020-01-01T00:00:00+00:00"})
        )
