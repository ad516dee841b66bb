"""Ends jobs that nobody can roll back any more, since a release removed their operation.

Processes of several releases may be at work at once: whoever does not know the operation leaves
the rollback to others first, for a time.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import text

from stellwerk.db.engine import is_outage
from stellwerk.jobs import lifecycle
from stellwerk.jobs.budget import while_time_lasts
from stellwerk.jobs.control import locked
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import Runtime, unit
from stellwerk.jobs.states import JobStatus

log = structlog.get_logger()

LEFT_TO_OTHERS = timedelta(hours=1)

_FORGOTTEN = """
    SELECT id FROM jobs WHERE id = ANY(:ids) AND status = 'queued'
        AND CAST(ending ->> 'begun_at' AS timestamptz) < now() - CAST(:left AS interval)
"""
_LOOK = text(_FORGOTTEN)
_LOCK = text(f"{_FORGOTTEN} FOR NO KEY UPDATE SKIP LOCKED")


def end_forgotten(runtime: Runtime, published: Sequence[Wakeup]) -> None:
    """Of jobs just published, end those whose rollback nobody has done in all that time.

    What a process that knows the operation has claimed meanwhile is left to it.
    """
    unknown = [one.job_id for one in published if one.operation not in runtime.registry]
    if not unknown:
        return
    with runtime.sessions() as session:
        ids = session.scalars(_LOOK, _values(*unknown)).all()
    for job_id in while_time_lasts(ids):
        try:
            _end(runtime, job_id)
        except Exception as exc:  # the dispatcher's edge: it is published, and looked at, again
            if is_outage(exc):
                raise
            log.exception("a job of a removed operation cannot be ended", job_id=str(job_id))


def _end(runtime: Runtime, job_id: UUID) -> None:
    with unit(runtime) as work:
        if not work.session.scalar(_LOCK, _values(job_id)):
            return
        job = locked(work.session, job_id)
        message = f"No process that came by in an hour knows the operation {job.operation}."
        error = lifecycle.undo_failed(job.ending or {}, message)
        lifecycle.end(runtime, work, job, lifecycle.Outcome(JobStatus.FAILED, error=error))


def _values(*job_ids: UUID) -> dict[str, object]:
    return {"ids": list(job_ids), "left": LEFT_TO_OTHERS}
