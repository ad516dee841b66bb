"""What any number of dispatchers do, over and over: publish what is due, rescue what was left.

Rows are taken with FOR UPDATE SKIP LOCKED, so dispatchers never wait for each other.
"""

from datetime import timedelta

from sqlalchemy import text

from stellwerk.errors import ErrorCode
from stellwerk.jobs import lifecycle
from stellwerk.jobs.control import locked
from stellwerk.jobs.model import Job
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import Runtime, Unit, unit
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.submission import window

POISON_CRASHES = 3  # workers that may die while running one job alone
BATCH = 200

_DUE = text("""
    WITH outstanding AS (
        SELECT count(*) AS number FROM (
            SELECT 1 FROM jobs WHERE queue = :queue AND status = 'queued'
                AND published_at > now() - :republish LIMIT :window) o),
    due AS (
        SELECT id FROM jobs
        WHERE queue = :queue AND status = 'queued' AND run_at <= now()
            AND (published_at IS NULL OR published_at <= now() - :republish)
            AND NOT EXISTS (SELECT 1 FROM queue_states
                            WHERE name = :queue AND paused_at IS NOT NULL)
        ORDER BY run_at, id
        LIMIT (SELECT greatest(:window - number, 0) FROM outstanding)
        FOR UPDATE SKIP LOCKED)
    UPDATE jobs SET published_at = now() FROM due WHERE jobs.id = due.id
    RETURNING jobs.id, jobs.attempt, jobs.operation
""")
_EXPIRED = text("""
    SELECT id FROM jobs WHERE status = 'running' AND lease_until < now()
    ORDER BY lease_until LIMIT :batch FOR UPDATE SKIP LOCKED
""")
_RESCUE = text("""
    UPDATE jobs SET status = 'queued', version = version + 1, crashes = crashes + 1,
        run_at = now(), lease_until = NULL, lease_token = NULL, published_at = NULL,
        message = 'its worker vanished, starting again'
    WHERE id = :id
""")
_OVERDUE_WAITS = text("""
    UPDATE jobs SET status = 'queued', run_at = now(), version = version + 1,
        published_at = NULL, wait_signal = NULL, wait_until = NULL
    WHERE id IN (SELECT id FROM jobs WHERE status = 'waiting' AND wait_until < now()
                 ORDER BY wait_until LIMIT :batch FOR UPDATE SKIP LOCKED)
    RETURNING id
""")
_UNPUBLISH_ALL = text("""
    UPDATE jobs SET published_at = NULL WHERE status = 'queued' AND published_at IS NOT NULL
""")


def publish_due(runtime: Runtime, queue: str) -> int:
    """Publish due jobs of a queue as far as its window has room; returns how many."""
    if runtime.publisher.is_paused():
        return 0
    values = {
        "queue": queue,
        "window": window(runtime, queue),
        "republish": timedelta(seconds=runtime.settings.job_republish_after_s),
    }
    with unit(runtime) as work:
        rows = work.session.execute(_DUE, values).all()
        work.wakeups += [Wakeup(row.id, row.attempt, row.operation, queue) for row in rows]
    return len(rows)


def rescue_expired(runtime: Runtime) -> list[tuple[Wakeup, JobStatus]]:
    """Give jobs whose worker stopped renewing its lease back to the queue, or end them.

    Returns the attempts that were lost, each with the state its job is in now.
    """
    with unit(runtime) as work:
        ids = work.session.scalars(_EXPIRED, {"batch": BATCH}).all()
        return [_rescue(runtime, work, locked(work.session, job_id)) for job_id in ids]


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


def _rescue(runtime: Runtime, work: Unit, job: Job) -> tuple[Wakeup, JobStatus]:
    lost = Wakeup(job.id, job.attempt - 1, job.operation, job.queue)
    if job.cancel_requested_at and job.ending is None:
        lifecycle.end(runtime, work, job, lifecycle.cancelled())
    elif job.crashes + 1 >= POISON_CRASHES:
        lifecycle.end(runtime, work, job, _poisoned(job))
    else:
        work.session.execute(_RESCUE, {"id": job.id})
    work.changed.add(job.id)
    work.session.refresh(job)
    return lost, JobStatus(job.status)


def _poisoned(job: Job) -> lifecycle.Outcome:
    message = f"The job was ended because {POISON_CRASHES} workers died while running it."
    error = lifecycle.failure(ErrorCode.JOB_POISONED, message, retryable=False)
    if job.ending:
        error = job.ending["error"] | {"details": {"undo": message}}
    return lifecycle.Outcome(JobStatus.FAILED, error=error)
