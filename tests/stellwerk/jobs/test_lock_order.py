"""Whoever locks several jobs does so in one order, so that no two wait for each other in a ring."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, update

from embedded import wait_until
from families_of_trials import children, end, parent_of
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.clock import new_id
from stellwerk.errors import Conflict, ErrorCode
from stellwerk.jobs import control, dispatch, families, lifecycle, queue_states
from stellwerk.jobs.bulk import submit_all
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.idempotency import Once
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.lineage import Parent
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Hook
from stellwerk.jobs.requeue import EndedJobs, requeue
from stellwerk.jobs.runtime import leave_to_dispatcher, unit
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.submission import Submission, accept
from stellwerk.jobs.unstarted import cancel_unstarted
from stellwerk.jobs.waking import wake_parent
from trial import NAME, Trial, trial

_BLOCKED = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
""")


def test_a_page_of_ended_jobs_is_queued_again_while_one_of_them_is_retried(
    platform: Platform,
) -> None:
    with trial(platform, line) as run, ThreadPoolExecutor(1) as thread:
        first = run.submit()
        jobs = fallen_line(run, first)
        with unit(run.runtime) as work:
            control.requeue_children(run.runtime, work, first)
            paging = thread.submit(requeue, run.runtime, EndedJobs(operation=NAME), by=None)
            wait_until(lambda: is_anybody_blocked(run))
            control.requeue(run.runtime, work, control.locked(work.session, first))

        assert paging.result(timeout=60).job_ids == []
        assert {run.row(job_id).status for job_id in jobs} == {"queued"}


def test_a_child_that_went_on_while_its_parent_is_retried_is_not_queued_once_more(
    platform: Platform,
) -> None:
    with trial(platform, parent_of("a", "b")) as run, ThreadPoolExecutor(1) as thread:
        parent = run.submit()
        run.attempt(parent)
        control.cancel(run.runtime, parent)
        families.cancel_abandoned(run.runtime)
        child = children(run, parent)["b"]
        with unit(run.runtime) as work:
            job = control.locked(work.session, child)
            retrying = thread.submit(control.retry, run.runtime, parent)
            wait_until(lambda: is_anybody_blocked(run))
            control.requeue(run.runtime, work, job)
            lifecycle.end(run.runtime, work, job, Outcome(JobStatus.COMPLETED, result={}))

        retrying.result(timeout=60)
        assert [run.row(job_id).status for job_id in (parent, child)] == ["queued", "completed"]


def test_children_of_several_generations_are_cancelled_while_one_of_their_parents_ends(
    platform: Platform,
) -> None:
    with trial(platform, print) as run, ThreadPoolExecutor(1) as thread:
        upper = run.submit()
        child = run.submit(parent=Parent(upper, "plain"))
        lower = run.submit(parent=Parent(upper, "lower"))
        grandchild = run.submit(parent=Parent(lower, "plain"))
        with unit(run.runtime) as work:
            control.locked(work.session, lower)
            both = [child, grandchild]
            cancelling = thread.submit(cancel_unstarted, run.runtime, both, only_abandoned=False)
            wait_until(lambda: is_anybody_blocked(run))
            wake_parent(work, upper, {lower}, JobStatus.COMPLETED)

        assert cancelling.result(timeout=60) == set(both)


@pytest.mark.parametrize("is_keyed", [False, True])
@pytest.mark.parametrize("on_accept", [None, lambda *_: None])
def test_two_bulk_submissions_take_the_same_keys_whatever_their_order(
    platform: Platform, on_accept: Hook | None, *, is_keyed: bool
) -> None:
    with trial(platform, print, on_accept=on_accept) as run, ThreadPoolExecutor(1) as thread:
        once = Once(add_user(platform), "POST /jobs/bulk", "k", ("m",), 60) if is_keyed else None
        wanted = [Submission(NAME, {"value": 1}, None, unique_key=key) for key in ("b", "a")]
        with unit(run.runtime) as work:  # as another does that takes `a` before `b`
            accept(run.runtime, work, replace(wanted[1], job_id=new_id()), {"value": 1})
            sending = thread.submit(submit_all, run.runtime, wanted, once=once)
            wait_until(lambda: is_anybody_blocked(run))
            accept(run.runtime, work, replace(wanted[0], job_id=new_id()), {"value": 1})

        with pytest.raises(Conflict) as refused:
            sending.result(timeout=60)
        assert refused.value.code is ErrorCode.DUPLICATE_JOB


def pause(run: Trial, _: list[UUID]) -> None:
    queue_states.pause(run.runtime, "short", None)


def resume(run: Trial, _: list[UUID]) -> None:
    queue_states.resume(run.runtime, "short", None)


def forget(run: Trial, _: list[UUID]) -> None:
    dispatch.forget_published(run.runtime)


def leave(run: Trial, job_ids: list[UUID]) -> None:
    leave_to_dispatcher(run.runtime, job_ids)


@pytest.mark.parametrize("unpublish", [pause, resume, forget, leave])
def test_wake_ups_are_taken_back_while_a_worker_claims_the_jobs_of_a_list(
    platform: Platform, unpublish: Callable[[Trial, list[UUID]], None]
) -> None:
    with trial(platform, print) as run, ThreadPoolExecutor(1) as thread:
        first, second = run.submit(), run.submit()
        if unpublish is resume:
            queue_states.pause(run.runtime, "short", None)
        publish_later(run, second, first)
        with run.runtime.sessions.begin() as session:  # as a claim of many does, by id
            control.locked(session, first)
            taking = thread.submit(unpublish, run, [first, second])
            wait_until(lambda: is_anybody_blocked(run))
            control.locked(session, second)

        taking.result(timeout=60)
        assert {run.row(job_id).published_at for job_id in (first, second)} == {None}


def publish_later(run: Trial, *job_ids: UUID) -> None:
    """One after another, so that neither their rows nor their wake-ups stand in order of ids."""
    for job_id in job_ids:
        with run.runtime.sessions.begin() as session:
            moved = dict.fromkeys(("run_at", "published_at"), text("clock_timestamp()"))
            session.execute(update(Job).where(Job.id == job_id).values(**moved))


def line(ctx: JobContext, payload: dict[str, Any]) -> None:
    """A job with a child, which has a child."""
    if payload["value"] < 3:
        ctx.submit_child(NAME, {"value": payload["value"] + 1}, key="next")
        ctx.wait_children()


def fallen_line(run: Trial, first: UUID) -> list[UUID]:
    """Three generations, the eldest failed and the others taken along."""
    jobs = [first]
    for _ in range(2):
        run.attempt(jobs[-1])
        jobs.append(children(run, jobs[-1])["next"])
    end(run, first, JobStatus.FAILED)
    while families.cancel_abandoned(run.runtime):
        pass
    return jobs


def is_anybody_blocked(run: Trial) -> bool:
    with run.runtime.sessions() as session:
        return bool(session.scalar(_BLOCKED))
