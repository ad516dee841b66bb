"""Queueing ended jobs again by what they have in common, a bounded page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action, actor_of
from stellwerk.audit.trail import record
from stellwerk.errors import Conflict, ErrorCode, StellwerkError
from stellwerk.jobs import control
from stellwerk.jobs.indices import ACTIVE
from stellwerk.jobs.lists import IS_DEAD
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import Runtime, Unit, unit
from stellwerk.jobs.states import TERMINAL, JobStatus
from stellwerk.jobs.uniqueness import Key, keys_of

log = structlog.get_logger()

PAGE = f"""
    SELECT j.id, j.operation, j.owner_id, j.unique_key, j.operation_key, j.has_children FROM jobs j
    WHERE j.status = :status
        AND (CAST(:after AS uuid) IS NULL OR j.id > :after)
        AND (CAST(:operation AS text) IS NULL OR j.operation = :operation)
        AND (CAST(:error_code AS text) IS NULL OR j.error ->> 'code' = :error_code)
        AND (CAST(:owner_id AS int) IS NULL OR j.owner_id = :owner_id)
        AND (CAST(:queue AS text) IS NULL OR j.queue = :queue)
        AND (CAST(:ended_from AS timestamptz) IS NULL OR j.finished_at >= :ended_from)
        AND (CAST(:ended_to AS timestamptz) IS NULL OR j.finished_at < :ended_to)
        AND j.tags @> CAST(:tags AS varchar[])
        AND (NOT :only_dead OR {IS_DEAD})
        AND (j.unique_key IS NULL OR NOT EXISTS (
            SELECT 1 FROM jobs WHERE operation = j.operation AND unique_key = j.unique_key
                AND coalesce(owner_id, 0) = coalesce(j.owner_id, 0) AND {ACTIVE}))
        AND (j.operation_key IS NULL OR NOT EXISTS (
            SELECT 1 FROM jobs WHERE operation = j.operation AND operation_key = j.operation_key
                AND {ACTIVE}))
        AND NOT EXISTS (
            SELECT 1 FROM jobs p WHERE p.id = j.parent_id AND p.cancels_children)
    ORDER BY j.id LIMIT :limit
"""
_LOOK = text(PAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJobs:
    """Which ended jobs: all conditions hold, None does not matter; oldest first.

    Where several share a unique key, only the newest of them is meant, and none while a job with
    the key is active.
    """

    status: JobStatus = JobStatus.FAILED
    only_dead: bool = False  # failed jobs that used up their attempts
    operation: str | None = None
    error_code: str | None = None
    owner_id: int | None = None
    queue: str | None = None
    ended_from: datetime | None = None
    ended_to: datetime | None = None
    tags: tuple[str, ...] = ()
    after: UUID | None = None
    limit: int = 100

    def values(self) -> dict[str, Any]:
        """The conditions as named values."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {**found, "status": self.status.value, "tags": list(self.tags)}


@dataclass(frozen=True, slots=True)
class Requeued:
    """What a page came to; `last_id` is where the next one goes on, None: it was the last."""

    job_ids: list[UUID]
    refused: dict[UUID, StellwerkError]
    last_id: UUID | None


def find(runtime: Runtime, wanted: EndedJobs) -> Requeued:
    """What `requeue` would take, without doing it."""
    with runtime.sessions() as session:
        rows = session.execute(_LOOK, wanted.values()).all()
    return Requeued([row.id for row in _newest_of_each_key(rows)], {}, _last(rows, wanted))


def requeue(runtime: Runtime, wanted: EndedJobs, *, by: int | None) -> Requeued:
    """Queue a page of ended jobs again, all in one transaction; their checkpoints are kept.

    Children go with their parents as in `control.retry`. A job whose domain refuses, or whose
    children are still being cancelled, is left as it is, and named. Raises Conflict where another
    job with one's unique key came in between: the same call may work.
    """
    try:
        with unit(runtime) as work:
            rows = work.session.execute(_LOOK, wanted.values()).all()
            chosen = _newest_of_each_key(_held(work.session, rows, wanted))
            refused = _queue_again(runtime, work, chosen)
            job_ids = [row.id for row in chosen if row.id not in refused]
            _note(work.session, wanted, by, job_ids)
    except IntegrityError as exc:
        message = "A job with the unique key of one of these was submitted meanwhile. Try again."
        raise Conflict(message, code=ErrorCode.DUPLICATE_JOB) from exc
    log.info("jobs requeued", user_id=by, count=len(job_ids), refused=len(refused))
    return Requeued(job_ids, refused, _last(rows, wanted))


def _note(session: Session, wanted: EndedJobs, by: int | None, job_ids: Sequence[UUID]) -> None:
    if not job_ids:
        return
    asked = {name: value for name, value in wanted.values().items() if value}
    record(
        session,
        action=Action.JOBS_REQUEUED,
        actor=actor_of(by),
        subject_user_id=wanted.owner_id,
        details={**asked, "job_ids": [str(job_id) for job_id in job_ids]},
    )


def _held(session: Session, rows: Sequence[Row[Any]], wanted: EndedJobs) -> list[Row[Any]]:
    """Lock the page with the families of its jobs; returns those that are still meant.

    What came onto the page only while this waited for a lock is left to another call.
    """
    ids = {row.id for row in rows}
    control.lock_fallen(session, ids)
    return [row for row in session.execute(_LOOK, wanted.values()) if row.id in ids]


def _queue_again(
    runtime: Runtime, work: Unit, rows: Sequence[Row[Any]]
) -> dict[UUID, StellwerkError]:
    """Those without a domain's say or children at once, others one by one; returns the refused."""
    asked = [row.id for row in rows if row.has_children or control.has_hook(runtime, row.operation)]
    plain = [row.id for row in rows if row.id not in set(asked)]
    control.queue_again(work, plain)
    answers = {job_id: _ask(runtime, work, job_id) for job_id in asked}
    return {job_id: error for job_id, error in answers.items() if error}


def _ask(runtime: Runtime, work: Unit, job_id: UUID) -> StellwerkError | None:
    session: Session = work.session
    try:
        with session.begin_nested():
            control.requeue_children(runtime, work, job_id)
            job = session.get_one(Job, job_id, populate_existing=True)
            if JobStatus(job.status) in TERMINAL:  # not queued as a child of one before it
                control.requeue(runtime, work, job)
    except StellwerkError as exc:
        return exc
    return None


def _newest_of_each_key(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    taken: set[Key] = set()
    chosen = []
    for row in reversed(rows):
        keys = keys_of(row._asdict())
        if taken.isdisjoint(keys):
            chosen.append(row)
            taken.update(keys)
    return chosen[::-1]


def _last(rows: Sequence[Row[Any]], wanted: EndedJobs) -> UUID | None:
    return rows[-1].id if len(rows) >= wanted.limit else None
