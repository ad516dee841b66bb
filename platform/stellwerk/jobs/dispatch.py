"""What any number of dispatchers do, over and over: publish what is due, rescue what was left.

Rows are taken with FOR UPDATE SKIP LOCKED, so dispatchers never wait for each other.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from stellwerk.db.engine import is_outage, may_pass
from stellwerk.errors import ErrorCode
from stellwerk.jobs import lifecycle
from stellwerk.jobs.budget import while_time_lasts
from stellwerk.jobs.control import locked
from stellwerk.jobs.forgotten import end_forgotten
from stellwerk.jobs.interruptions import HowStopped
from stellwerk.jobs.model import Job, JobLog
from stellwerk.jobs.pace import Pace
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.queues import alone, shares_process
from stellwerk.jobs.runtime import Runtime, Unit, unit, unpublish
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.turns import queues_with_due, take_turn

log = structlog.get_logger()

POISON_CRASHES = 3  # workers that may die while running one job alone
BATCH = 200
AFTER_FAILURE = timedelta(minutes=5)
AFTER_CONTENTION = timedelta(seconds=10)  # the same may work then: a lease and this fit in 45 s

_EXPIRED = text("""
    SELECT id FROM jobs WHERE status = 'running' AND lease_until < now()
    ORDER BY lease_until LIMIT :batch
""")
_STILL_EXPIRED = text("""
    SELECT id FROM jobs WHERE id = :id AND status = 'running' AND lease_until < now()
    FOR NO KEY UPDATE SKIP LOCKED
""")
_POSTPONE = text("""
    UPDATE jobs SET lease_until = now() + :pause
    WHERE id IN (SELECT id FROM jobs WHERE id = :id AND status = 'running' AND lease_until < now()
                 FOR NO KEY UPDATE SKIP LOCKED)
""")
# It keeps its time: a backlog that came later is behind it.
_RESCUE = text("""
    UPDATE jobs SET status = 'queued', version = version + 1, crashes = crashes + :crashes,
        queue = :queue, lease_until = NULL, lease_token = NULL, published_at = NULL,
        message = 'its worker vanished, starting again'
    WHERE id = :id
""")
_OVERDUE_WAITS = text("""
    UPDATE jobs SET status = 'queued', version = version + 1, published_at = NULL,
        wait_until = NULL
    WHERE id IN (SELECT id FROM jobs WHERE status = 'waiting' AND wait_until < now()
                 ORDER BY wait_until LIMIT :batch FOR UPDATE SKIP LOCKED)
    RETURNING id
""")
_UNPUBLISH_ALL = unpublish("TRUE")


def publish_all_due(runtime: Runtime, paces: Mapping[str, Pace]) -> int:
    """One turn of every queue that has something due; returns how many jobs were published."""
    if runtime.publisher.is_paused():
        return 0
    with runtime.sessions() as session:
        lost_before = {queue: pace.lost_before for queue, pace in paces.items()}
        due = queues_with_due(session, runtime.settings, lost_before)
        for pace in paces.values():
            _look(session, pace)
    return sum(_publish(runtime, pace) for queue, pace in paces.items() if queue in due)


def publish_due(runtime: Runtime, queue: str, pace: Pace | None = None) -> int:
    """Publish due jobs of a queue as far as its window has room; returns how many.

    A dispatcher hands in the `pace` of the queue that it keeps from one call to the next.
    """
    pace = pace or Pace(runtime.settings, queue)
    with unit(runtime) as work:
        turn = take_turn(runtime, work.session, queue=queue, bounds=pace.bounds())
        work.wakeups += turn.wakeups
    pace.note(turn)
    end_forgotten(runtime, turn.wakeups)
    return len(turn.wakeups)


def rescue_expired(runtime: Runtime) -> list[tuple[Wakeup, JobStatus]]:
    """Give jobs whose worker stopped renewing its lease back to the queue, or end them.

    Each in a transaction of its own: one that cannot be ended stands in nobody's way, and is
    tried again later. It takes a while at most (budget.py). Returns the attempts that were lost,
    with their jobs' present states.
    """
    rescued = []
    with runtime.sessions() as session:
        ids = session.scalars(_EXPIRED, {"batch": BATCH}).all()
    for job_id in while_time_lasts(ids):
        try:
            with unit(runtime) as work:
                lost = _rescue(runtime, work, job_id)
            rescued += lost
        except Exception as exc:  # the dispatcher's edge: one job must not keep it from the others
            if is_outage(exc):
                raise
            log.exception("rescue failed, it is tried again later", job_id=str(job_id))
            pause = AFTER_CONTENTION if may_pass(exc) else AFTER_FAILURE
            with runtime.sessions.begin() as session:
                session.execute(_POSTPONE, {"id": job_id, "pause": pause})
    return rescued


def wake_overdue_waits(runtime: Runtime) -> int:
    """Let jobs whose wait ran out go on; they see the timeout themselves."""
    with unit(runtime) as work:
        ids = work.session.scalars(_OVERDUE_WAITS, {"batch": BATCH}).all()
        work.changed |= set(ids)
    return len(ids)


def forget_published(runtime: Runtime) -> int:
    """After the broker lost its data: everything that was published counts as unpublished."""
    with runtime.sessions.begin() as session:
        return session.execute(_UNPUBLISH_ALL).rowcount  # type: ignore[attr-defined,no-any-return]  # CursorResult, typed as Result


def _look(session: Session, pace: Pace) -> None:
    try:
        pace.look(session)
    except Exception as exc:  # the dispatcher's edge: one queue must not keep it from the others
        if is_outage(exc):
            raise
        session.rollback()
        log.exception("a queue's pace is not known", queue=pace.queue)


def _publish(runtime: Runtime, pace: Pace) -> int:
    try:
        return publish_due(runtime, pace.queue, pace)
    except Exception as exc:  # the dispatcher's edge: one queue must not keep it from the others
        if is_outage(exc):
            raise
        log.exception("a queue's turn failed", queue=pace.queue)
        return 0


def _rescue(runtime: Runtime, work: Unit, job_id: UUID) -> list[tuple[Wakeup, JobStatus]]:
    if not work.session.scalar(_STILL_EXPIRED, {"id": job_id}):
        return []
    job = locked(work.session, job_id)
    lost = Wakeup(job.id, job.attempt - 1, job.operation, job.queue)
    ran_alone = not shares_process(job.queue)
    if job.cancel_requested_at and job.ending is None:
        lifecycle.end(runtime, work, job, lifecycle.cancelled(HowStopped.KILLED))
    elif ran_alone and job.crashes + 1 >= POISON_CRASHES:
        lifecycle.end(runtime, work, job, _poisoned(job))
    else:
        values = {"id": job.id, "crashes": int(ran_alone), "queue": alone(job.queue)}
        work.session.execute(_RESCUE, values)
    line = f"attempt {job.attempt} was lost: {job.worker} stopped renewing its lease"
    work.session.add(JobLog(job_id=job.id, attempt=job.attempt, level="warning", message=line))
    work.changed.add(job.id)
    work.session.refresh(job)
    return [(lost, JobStatus(job.status))]


def _poisoned(job: Job) -> lifecycle.Outcome:
    message = f"The job was ended because {POISON_CRASHES} workers died while running it."
    error = lifecycle.failure(ErrorCode.JOB_POISONED, message, retryable=False)
    if job.ending:
        error = lifecycle.undo_failed(job.ending, message)
    return lifecycle.Outcome(JobStatus.FAILED, error=error)
