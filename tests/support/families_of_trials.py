"""Parents and children of one made-up operation, for tests that run them attempt by attempt."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import select

from stellwerk.errors import JobFailed
from stellwerk.jobs import control, lifecycle
from stellwerk.jobs.children import ChildFailure
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import unit
from stellwerk.jobs.states import JobStatus
from trial import NAME, Trial

Handler = Callable[[JobContext, dict[str, Any]], Any]


def parent_of(
    *keys: str, failure: ChildFailure = ChildFailure.FAIL_FAST, waits: bool = True
) -> Handler:
    """A parent with a child for each key; a child's result is its key, unless it has to fail."""

    def handler(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        if payload["value"] != 1:
            return child(payload["value"])
        for key in keys:
            ctx.submit_child(NAME, {"value": key}, key=key)
        ends = ctx.wait_children(failure=failure) if waits else []
        return {"ends": [[end.key, end.status, end.result] for end in ends]}

    def child(key: str) -> dict[str, Any]:
        if key.startswith("bad"):
            raise JobFailed("as asked")
        return {"was": key}

    return handler


def children(run: Trial, parent_id: UUID) -> dict[str, UUID]:
    """Its children by key, oldest first."""
    with run.runtime.sessions() as session:
        query = select(Job).where(Job.parent_id == parent_id).order_by(Job.id)
        return {str(job.parent_key): job.id for job in session.scalars(query)}


def end(run: Trial, job_id: UUID, status: JobStatus) -> None:
    """End a job that no worker holds."""
    with unit(run.runtime) as work:
        job = control.locked(work.session, job_id)
        lifecycle.end(run.runtime, work, job, Outcome(status, result={}))
