"""Ended jobs are queued again by what they have in common."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, update
from sqlalchemy.orm import Session

from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.diagnostics.operations import ECHO
from stellwerk.errors import PaymentRequired
from stellwerk.jobs import lifecycle
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Registry
from stellwerk.jobs.requeue import EndedJobs, find, requeue
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.submission import Submission, submit

OUTAGE = {"code": "PROVIDER_UNAVAILABLE", "message": "", "details": {}, "retryable": True}
REFUSAL = {"code": "PROVIDER_REJECTED", "message": "", "details": {}, "retryable": False}


def test_a_filter_takes_what_meets_all_of_it_and_leaves_the_rest(platform: Platform) -> None:
    runtime, owner = platform.runtime, add_user(platform)
    mine = failed(runtime, owner_id=owner, tags=("night", "red"))
    others = [
        failed(runtime, owner_id=owner, error=REFUSAL, tags=("night",)),
        failed(runtime, owner_id=add_user(platform), tags=("night",)),
        failed(runtime, owner_id=owner),
        failed(runtime, operation="diagnostics.sleep", owner_id=owner, tags=("night",)),
        failed(runtime, owner_id=owner, tags=("night",), ended_ago=timedelta(days=3)),
        failed(runtime, owner_id=owner, tags=("night",), status="cancelled"),
    ]
    wanted = EndedJobs(
        operation="diagnostics.echo",
        error_code="PROVIDER_UNAVAILABLE",
        owner_id=owner,
        queue="short",
        ended_from=datetime.now(UTC) - timedelta(days=1),
        ended_to=datetime.now(UTC) + timedelta(minutes=1),
        tags=("night",),
    )

    assert find(runtime, wanted).job_ids == [mine]
    assert statuses(runtime, [mine]) == ["failed"]
    assert requeue(runtime, wanted, by=None).job_ids == [mine]
    assert statuses(runtime, [mine]) == ["queued"]
    assert set(statuses(runtime, others)) == {"failed", "cancelled"}


def test_pages_go_on_where_the_last_one_ended(platform: Platform) -> None:
    jobs = [failed(platform.runtime) for _ in range(5)]
    first = requeue(platform.runtime, EndedJobs(limit=3), by=None)
    rest = requeue(platform.runtime, EndedJobs(limit=3, after=first.last_id), by=None)

    assert (first.job_ids, first.last_id) == (jobs[:3], jobs[2])
    assert (rest.job_ids, rest.last_id) == (jobs[3:], None)


def test_dead_letters_are_failed_jobs_that_another_attempt_might_have_helped(
    platform: Platform,
) -> None:
    dead = failed(platform.runtime)
    poisoned = failed(platform.runtime, error={**REFUSAL, "code": "JOB_POISONED"})
    failed(platform.runtime, error=REFUSAL)

    undone = failed(platform.runtime, error=rollback_failed("JOB_POISONED"))
    failed(platform.runtime, error=rollback_failed("JOB_CANCELLED"))

    assert find(platform.runtime, EndedJobs(only_dead=True)).job_ids == [dead, poisoned, undone]


def test_of_jobs_with_one_unique_key_the_newest_goes_and_none_beside_an_active_one(
    platform: Platform,
) -> None:
    runtime = platform.runtime
    failed(runtime, unique_key="daily")
    newest = failed(runtime, unique_key="daily")
    failed(runtime, unique_key="hourly")
    submit(runtime, Submission("diagnostics.echo", {}, None, unique_key="hourly"))

    assert requeue(runtime, EndedJobs(), by=None).job_ids == [newest]
    assert requeue(runtime, EndedJobs(), by=None).job_ids == []


def test_a_job_whose_domain_refuses_stays_and_is_named(runtime_with_a_budget: Runtime) -> None:
    runtime = runtime_with_a_budget
    poor, rich = failed(runtime, tags=("poor",)), failed(runtime)

    came = requeue(runtime, EndedJobs(), by=None)

    assert came.job_ids == [rich]
    assert {job_id: error.code for job_id, error in came.refused.items()} == {
        poor: "BUDGET_EXCEEDED"
    }
    assert statuses(runtime, [poor, rich]) == ["failed", "queued"]


@pytest.fixture
def runtime_with_a_budget(platform: Platform) -> Runtime:
    """One where jobs tagged `poor` are refused when they are queued again."""
    operation = replace(ECHO, on_requeue=refuse_the_poor)
    return replace(platform.runtime, registry=Registry((operation,)))


def refuse_the_poor(session: Session, job: Job, runtime: Runtime) -> None:
    del session, runtime
    if "poor" in job.tags:
        raise PaymentRequired("No money.")


def rollback_failed(cause: str) -> dict[str, Any]:
    return lifecycle.undo_failed({"error": {**REFUSAL, "code": cause}}, "the swarm is gone")


def failed(
    runtime: Runtime,
    *,
    operation: str = "diagnostics.echo",
    error: dict[str, Any] | None = None,
    status: str = "failed",
    ended_ago: timedelta = timedelta(0),
    **fields: Any,
) -> UUID:
    """A job that ended so."""
    values = {"owner_id": None, **fields}
    job_id = submit(runtime, Submission(operation, {}, **values))
    ended = {"status": status, "error": error or OUTAGE, "finished_at": func.now() - ended_ago}
    with runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**ended))
    return job_id


def statuses(runtime: Runtime, job_ids: list[UUID]) -> list[str]:
    with runtime.sessions() as session:
        return [session.get_one(Job, job_id).status for job_id in job_ids]
