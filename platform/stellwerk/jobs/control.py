"""What people and other jobs do to a job: cancel, retry, signal."""

import json
from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, func, select, text
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record
from stellwerk.errors import Conflict, ErrorCode, FieldError, Gone, InvalidInput, NotFound
from stellwerk.jobs import lifecycle
from stellwerk.jobs.endings import abandon_children
from stellwerk.jobs.idempotency import Once, reserve
from stellwerk.jobs.interruptions import HowStopped
from stellwerk.jobs.model import Job, JobLog, JobSignal
from stellwerk.jobs.remains import JobTombstone
from stellwerk.jobs.runtime import Runtime, Unit, unit
from stellwerk.jobs.sealing import seal
from stellwerk.jobs.states import LIVE, TERMINAL, JobStatus
from stellwerk.jobs.uniqueness import keys_of, take_within
from stellwerk.jobs.waking import wake
from stellwerk.settings import Settings

_REQUEST_CANCEL = text("""
    UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, now()),
        version = version + 1, message = 'cancelling'
    WHERE id = :id
""")
_QUEUE_AGAIN = text("""
    UPDATE jobs SET status = 'queued', failures = 0, crashes = 0, version = version + 1,
        run_at = now(), published_at = NULL, finished_at = NULL, cancel_requested_at = NULL,
        result = NULL, error = NULL, message = '', cancels_children = false
    WHERE id = ANY(:ids)
""")
# Deepest first, as families are locked. A cancelled child was taken along by its parent's end;
# others than these are nobody's to run again.
_FALLEN = """
    WITH RECURSIVE fallen AS (
        SELECT id, status, error FROM jobs WHERE id = ANY(:ids)
        UNION ALL
        SELECT c.id, c.status, c.error FROM fallen p JOIN jobs c ON c.parent_id = p.id
        WHERE c.status = 'cancelled' OR c.status = 'failed'
            AND (p.status = 'cancelled' OR p.error ->> 'code' = 'CHILD_FAILED'))
    SELECT id, operation,
        has_children OR coalesce(unique_key, operation_key) IS NOT NULL AS is_asked
    FROM jobs WHERE id IN (SELECT id FROM fallen) ORDER BY depth DESC, id
"""
_FALLEN_FAMILY = text(_FALLEN)
_LOCK_FALLEN = text(f"{_FALLEN} FOR NO KEY UPDATE")
_LOCK_ENDED = text("""
    SELECT id FROM jobs WHERE id = ANY(:ids) AND status IN ('failed', 'cancelled')
    ORDER BY depth DESC, id FOR NO KEY UPDATE
""")
# The end of a job took them along, and some have not heard of it, or not ended yet.
_IS_CANCELLING_CHILDREN = text("""
    SELECT EXISTS (SELECT 1 FROM jobs p JOIN jobs c ON c.parent_id = p.id
        WHERE p.id = :id AND c.finished_at IS NULL
            AND (p.cancels_children OR c.cancel_requested_at IS NOT NULL))
""")
_IS_ABANDONED = text("""
    SELECT EXISTS (SELECT 1 FROM jobs c JOIN jobs p ON p.id = c.parent_id
        WHERE c.id = :id AND p.cancels_children)
""")
_FORGET_TIMEOUTS = text("""
    DELETE FROM job_steps WHERE job_id = ANY(:ids) AND kind = 'wait' AND output ? 'timed_out'
""")
_FORGET_OWED = text("DELETE FROM job_ends_owed WHERE job_id = ANY(:ids)")
_RETRYABLE = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})


def cancel(
    runtime: Runtime,
    job_id: UUID,
    *,
    once: Once | None = None,
    only_abandoned: bool = False,
    by: int | None = None,
) -> None:
    """Cancel a job: at once where no worker holds it, else its worker is told within a second.

    Its children that have not ended follow. `only_abandoned`: nothing is done where no parent's end
    asks for it any more. `by`: the user who asks. Raises NotFound, Gone, Conflict
    (JOB_NOT_CANCELLABLE) for a job that already ended.
    """
    with unit(runtime) as work:
        reserve(work.session, once, [job_id])
        job = locked(work.session, job_id)
        if only_abandoned and not _is(work.session, _IS_ABANDONED, job_id):
            return
        if JobStatus(job.status) in TERMINAL:
            message = f"The job is already {job.status}."
            raise Conflict(message, code=ErrorCode.JOB_NOT_CANCELLABLE)
        note_intervention(work.session, Action.JOB_CANCELLED, job, by)
        work.session.execute(_REQUEST_CANCEL, {"id": job_id})
        abandon_children(work, job_id)
        if job.status != JobStatus.RUNNING and job.ending is None:
            lifecycle.end(runtime, work, job, lifecycle.cancelled())
            work.session.add(_told(job, f"cancelled {HowStopped.BEFORE_START.told}"))
        work.changed.add(job_id)


def retry(
    runtime: Runtime, job_id: UUID, *, once: Once | None = None, by: int | None = None
) -> None:
    """Queue a failed or cancelled job again; steps that were done are not run again.

    Waits that had run out wait again. Its cancelled children are queued again with it, and where it
    was cancelled, or failed because of children, those that failed as well. Raises NotFound, Gone,
    Conflict (JOB_NOT_RETRYABLE, or DUPLICATE_JOB where another job with its unique key is active).
    """
    with unit(runtime) as work:
        reserve(work.session, once, [job_id])
        requeue_children(runtime, work, job_id)
        job = locked(work.session, job_id)
        if _is(work.session, _IS_ABANDONED, job_id):
            raise _being_cancelled(f"The parent of job {job_id} has ended, and its children")
        if job.status not in _RETRYABLE:
            message = f"Only failed and cancelled jobs can be retried; this one is {job.status}."
            raise Conflict(message, code=ErrorCode.JOB_NOT_RETRYABLE)
        note_intervention(work.session, Action.JOB_RETRIED, job, by)
        requeue(runtime, work, job)


def requeue_children(runtime: Runtime, work: Unit, job_id: UUID) -> None:
    """Queue those again that the end of a job took along, and theirs; then comes the job itself.

    Those that nothing stands behind, no children, no key and no hook, go together: there may be
    thousands. One that somebody else has queued again meanwhile is left as it is. Raises Conflict
    as `requeue` does.
    """
    lock_fallen(work.session, [job_id])
    family = work.session.execute(_FALLEN_FAMILY, {"ids": [job_id]}).all()
    fallen = [row for row in family if row.id != job_id]
    asked = [row.id for row in fallen if row.is_asked or has_hook(runtime, row.operation)]
    plain = {"ids": list({row.id for row in fallen} - set(asked))}
    queue_again(work, work.session.scalars(_LOCK_ENDED, plain).all())
    for child_id in asked:
        job = locked(work.session, child_id)
        if job.status in _RETRYABLE:
            requeue(runtime, work, job)


def lock_fallen(session: Session, job_ids: Collection[UUID]) -> None:
    """Lock ended jobs and those that their ends took along, all before any of them is changed.

    Which these are is to be asked again afterwards: some may have gone on while this waited.
    """
    session.execute(_LOCK_FALLEN, {"ids": list(job_ids)})


def has_hook(runtime: Runtime, operation: str) -> bool:
    """Whether its domain has a say when a job of it is queued again."""
    registry = runtime.registry
    return operation in registry and registry.get(operation).on_requeue is not None


def requeue(runtime: Runtime, work: Unit, job: Job) -> None:
    """Queue an ended job, locked by the caller, from its checkpoints.

    Raises Conflict: DUPLICATE_JOB, or JOB_NOT_RETRYABLE while children that its end took along are
    still being cancelled, since they would fail it once more.
    """
    if job.has_children and _is(work.session, _IS_CANCELLING_CHILDREN, job.id):
        raise _being_cancelled(f"Children of job {job.id}")
    keys = keys_of({column.key: getattr(job, column.key) for column in Job.__table__.columns})
    take_within(work.session, keys, lambda: queue_again(work, [job.id]))
    _after_retry(runtime, work, job.id)


def queue_again(work: Unit, job_ids: Collection[UUID]) -> None:
    """Queue ended jobs again, without asking anybody; the caller locked them.

    Waits that had run out wait again, and nobody is told of the former ends any more.
    """
    for statement in (_QUEUE_AGAIN, _FORGET_TIMEOUTS, _FORGET_OWED):
        work.session.execute(statement, {"ids": list(job_ids)})
    work.changed |= set(job_ids)


def signal(
    runtime: Runtime,
    job_id: UUID,
    name: str,
    *,
    data: Any = None,
    sender_id: int | None = None,
    dedupe_key: str | None = None,
) -> None:
    """Send a job a named message; a job that waits for it goes on.

    Raises NotFound, Gone, Conflict for a job that already ended or keeps `job_signals_max` signals
    that no wait took, InvalidInput for `data` that takes more than `job_signal_bytes` as JSON.
    """
    ensure_small(runtime.settings, data)
    with unit(runtime) as work:
        send_signal(
            runtime,
            work,
            locked(work.session, job_id),
            JobSignal(
                job_id=job_id, name=name, data=data, sender_id=sender_id, dedupe_key=dedupe_key
            ),
        )


def ensure_small(settings: Settings, data: Any) -> None:
    """Raise InvalidInput where a signal's data take more than `job_signal_bytes` as JSON."""
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    if len(written.encode("utf-8", "surrogatepass")) > settings.job_signal_bytes:
        reason = f"Takes more than {settings.job_signal_bytes} bytes as JSON."
        raise InvalidInput("The signal is too large.", errors=[FieldError("data", reason)])


def send_signal(runtime: Runtime, work: Unit, job: Job, message: JobSignal) -> None:
    """Store a signal within a transaction that locked the job, and wake the job if it waits.

    Raises Conflict: the job has ended, or SIGNAL_LIMIT_REACHED.
    """
    if JobStatus(job.status) not in LIVE:
        raise Conflict(f"The job is already {job.status}; it takes no signals.")
    if message.dedupe_key and _is_repeated(work.session, message):
        return
    _refuse_too_many(work.session, job, runtime.settings.job_signals_max)
    if job.is_sensitive and message.data is not None:
        message.data = seal(runtime.vault, job.id, message.data)
    work.session.add(message)
    if job.status == JobStatus.WAITING and job.wait_signal == message.name:
        wake(work, job.id)


def locked(session: Session, job_id: UUID) -> Job:
    """The job's row, locked until the transaction ends; raises NotFound or Gone."""
    job = session.get(Job, job_id, with_for_update={"key_share": True}, populate_existing=True)
    if job:
        return job
    if session.get(JobTombstone, job_id):
        raise Gone(f"Job {job_id} was removed at the end of its retention.")
    raise NotFound(f"There is no job {job_id}.")


def note_intervention(session: Session, action: Action, job: Job, by: int | None) -> None:
    """Put on record what a user does to a job that is not theirs."""
    if by is None or by == job.owner_id:
        return
    target, told = f"job:{job.id}", {"operation": job.operation}
    record(
        session,
        action=action,
        actor=by,
        subject_user_id=job.owner_id,
        target=target,
        details=told,
    )


def _is(session: Session, question: TextClause, job_id: UUID) -> bool:
    return bool(session.scalar(question, {"id": job_id}))


def _being_cancelled(who: str) -> Conflict:
    message = f"{who} are still being cancelled. Try again when they have ended."
    return Conflict(message, code=ErrorCode.JOB_NOT_RETRYABLE)


def _told(job: Job, line: str) -> JobLog:
    return JobLog(job_id=job.id, attempt=job.attempt, level="info", message=line)


def _is_repeated(session: Session, message: JobSignal) -> bool:
    query = select(func.count()).where(
        JobSignal.job_id == message.job_id,
        JobSignal.name == message.name,
        JobSignal.dedupe_key == message.dedupe_key,
    )
    return bool(session.scalar(query))


def _refuse_too_many(session: Session, job: Job, most: int) -> None:
    kept = select(JobSignal.id).where(JobSignal.job_id == job.id, JobSignal.consumed_at.is_(None))
    if len(session.scalars(kept.limit(most)).all()) < most:
        return
    message = (
        f"Job {job.id} keeps {most} signals that no wait of it has taken yet. "
        "Send this one again when it has taken some, or cancel the job."
    )
    raise Conflict(message, code=ErrorCode.SIGNAL_LIMIT_REACHED)


def _after_retry(runtime: Runtime, work: Unit, job_id: UUID) -> None:
    job = work.session.get_one(Job, job_id, populate_existing=True)
    operation = runtime.registry.get(job.operation)
    if operation.on_requeue:
        operation.on_requeue(work.session, job, runtime)
