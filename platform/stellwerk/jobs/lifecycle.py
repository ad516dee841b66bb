"""The moves of jobs that no other module of this package owns; `states.py` lists them.

Every statement of a worker is fenced by id, attempt and lease token with `finished_at IS NULL`.
(`status = 'running'` is left out on purpose: with it the planner walks the lease index.)
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from stellwerk.errors import ErrorCode
from stellwerk.jobs.claims import FENCE, Claim
from stellwerk.jobs.endings import ENDED, abandon_children, after_end
from stellwerk.jobs.interruptions import Cancelled, HowStopped, LeaseLost
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Operation
from stellwerk.jobs.runtime import Runtime, Unit
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.storable import storable, storable_json


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ends."""

    status: JobStatus
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    @property
    def is_undone_first(self) -> bool:
        """Whether steps are rolled back before; never while a person has to look at an effect.

        Once that is resolved the job goes on from its checkpoints, or is cancelled and rolled back.
        """
        is_uncertain = (self.error or {}).get("code") == ErrorCode.EFFECT_UNCERTAIN
        return self.status is not JobStatus.COMPLETED and not is_uncertain


def _statement(sql: str, *json_values: str) -> TextClause:
    """SQL whose named values are stored as JSON, None as NULL."""
    return text(sql).bindparams(
        *(bindparam(name, type_=JSONB(none_as_null=True)) for name in json_values)
    )


_LOCK = text(f"SELECT version FROM jobs WHERE {FENCE} FOR NO KEY UPDATE")
# A rollback counts its own failures; afterwards those that led to it are shown again.
_FAILURES = """CASE WHEN ending IS NULL THEN failures + CAST(:status = 'failed' AS int)
    ELSE coalesce(CAST(ending ->> 'failures' AS int), failures) END"""
_FINISH = _statement(
    f"""
    UPDATE jobs SET status = :status, result = :result, error = :error, ending = NULL,
        progress = CASE WHEN :status = 'completed' THEN 100 ELSE progress END,
        failures = {_FAILURES}, version = version + 1, finished_at = now(),
        message = coalesce(CAST(:error AS jsonb) ->> 'message', ''),
        lease_until = NULL, lease_token = NULL, published_at = NULL, reserved_cost = 0
    WHERE {FENCE} RETURNING {ENDED}
""",
    "result",
    "error",
)
# One that was begun keeps its place: it is not to wait for a backlog that came after it.
_REQUEUE = _statement(
    f"""
    UPDATE jobs SET status = 'queued', version = version + 1,
        run_at = CASE WHEN :delay > interval '0' THEN now() + :delay ELSE run_at END,
        failures = failures + :failed, error = coalesce(:error, error), lease_until = NULL,
        lease_token = NULL, published_at = NULL, message = :message,
        queue = coalesce(:queue, queue)
    WHERE {FENCE} RETURNING id
""",
    "error",
)
_IS_CANCELLED = text(f"""
    SELECT cancel_requested_at IS NOT NULL AND ending IS NULL FROM jobs WHERE {FENCE}
""")
_HAS_UNDOABLE = text("""
    SELECT EXISTS (SELECT 1 FROM job_steps
        WHERE job_id = :id AND step = ANY(:steps) AND state <> 'undone')
""")
_HAS_STEPS = text("""
    SELECT EXISTS (SELECT 1 FROM job_steps
        WHERE job_id = :id AND kind <> 'wait' AND state <> 'undone')
""")
_BEGIN_UNDO = _statement(
    """
    UPDATE jobs SET status = 'queued', version = version + 1, failures = 0,
        ending = CAST(:ending AS jsonb)
            || jsonb_build_object('failures', failures + :failed, 'begun_at', now()), crashes = 0,
        run_at = now(), lease_until = NULL, lease_token = NULL, published_at = NULL,
        wait_signal = NULL, wait_until = NULL, message = 'rolling back'
    WHERE id = :id AND finished_at IS NULL
""",
    "ending",
)
_END = _statement(
    f"""
    UPDATE jobs SET status = :status, result = :result, error = :error, ending = NULL,
        message = coalesce(CAST(:error AS jsonb) ->> 'message', ''),
        failures = coalesce(CAST(ending ->> 'failures' AS int), failures),
        version = version + 1, finished_at = now(), lease_until = NULL, lease_token = NULL,
        published_at = NULL, wait_signal = NULL, wait_until = NULL, reserved_cost = 0
    WHERE id = :id AND finished_at IS NULL RETURNING {ENDED}
""",
    "result",
    "error",
)


def lock(session: Session, claimed: Claim) -> int:
    """Lock the job's row at this attempt and return its version; raises LeaseLost."""
    version = session.scalar(_LOCK, claimed.fence)
    if version is None:
        raise LeaseLost
    return int(version)


def finish(runtime: Runtime, work: Unit, claimed: Claim, outcome: Outcome) -> None:
    """End the claimed job, or first send it back to be rolled back; raises LeaseLost."""
    lock(work.session, claimed)
    rolls_back = outcome.is_undone_first and claimed.ending is None
    if rolls_back and _needs_undo(work.session, claimed.operation, claimed.job_id):
        failed = int(outcome.status is JobStatus.FAILED)
        _begin_undo(work, claimed.job_id, outcome, failed=failed)
        return
    ended = work.session.execute(_FINISH, claimed.fence | _columns(outcome)).first()
    _one(ended)
    after_end(runtime, work, claimed.operation, ended)


def retry_later(
    work: Unit,
    claimed: Claim,
    *,
    error: dict[str, Any],
    delay_s: float,
    queue: str | None = None,
) -> None:
    """Give a failed attempt back to its queue, or another, to be tried again after `delay_s`."""
    values = {"delay": timedelta(seconds=delay_s), "failed": 1, "error": error, "queue": queue}
    _requeue(work, claimed, values | {"message": error["message"]})


def hand_over(work: Unit, claimed: Claim, *, reason: str, delay_s: float = 0.0) -> None:
    """Give the job back uncounted: its worker is stopping, or it has to wait a while."""
    values = {"delay": timedelta(seconds=delay_s), "failed": 0, "error": None, "queue": None}
    _requeue(work, claimed, values | {"message": reason})


def heed_cancel(work: Unit, claimed: Claim) -> None:
    """A cancel that was accepted meanwhile must not be forgotten by going back to the queue."""
    if work.session.scalar(_IS_CANCELLED, claimed.fence):
        raise Cancelled


def end(runtime: Runtime, work: Unit, job: Job, outcome: Outcome) -> None:
    """End a job that no worker holds (the caller locked its row), rolling back first if due.

    Where this process does not know the operation, what may have to be rolled back is left to a
    worker that does, for a time (forgotten.py), and the hook is owed (telling.py).
    """
    operation = runtime.registry.get(job.operation) if job.operation in runtime.registry else None
    rolls_back = outcome.is_undone_first and job.ending is None
    if rolls_back and _needs_undo(work.session, operation, job.id):
        _begin_undo(work, job.id, outcome, failed=0)
        return
    ended = work.session.execute(_END, {"id": job.id} | _columns(outcome)).first()
    after_end(runtime, work, operation, ended)


def cancelled(how: HowStopped = HowStopped.BEFORE_START) -> Outcome:
    """The outcome of a job that somebody cancelled."""
    message, details = f"The job was cancelled {how.told}.", {"stopped": how.value}
    error = failure(ErrorCode.JOB_CANCELLED, message, retryable=False, details=details)
    return Outcome(JobStatus.CANCELLED, error=error)


def undo_failed(ending: dict[str, Any], message: str) -> dict[str, Any]:
    """The `error` of a job whose rollback was given up: why it ended first, then why that failed.

    `ending`: the outcome that was due once it was rolled back.
    """
    first = ending["error"]
    details = {**first["details"], "cause": first["code"], "undo": message}
    told = f"{first['message'].rstrip('.')}. Rolling it back failed: {message}"
    return failure(ErrorCode.UNDO_FAILED, told, retryable=first["retryable"], details=details)


def failure(
    code: str, message: str, *, retryable: bool, details: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The `error` of a job document; what Postgres could not store is replaced."""
    return {
        "code": str(code),
        "message": storable(message),
        "details": storable_json(details or {}),
        "retryable": retryable,
    }


def _requeue(work: Unit, claimed: Claim, values: dict[str, Any]) -> None:
    lock(work.session, claimed)
    heed_cancel(work, claimed)
    _one(work.session.execute(_REQUEUE, claimed.fence | values).first())
    work.changed.add(claimed.job_id)


def _needs_undo(session: Session, operation: Operation | None, job_id: UUID) -> bool:
    if operation is None:
        return bool(session.scalar(_HAS_STEPS, {"id": job_id}))
    steps = list(operation.undoable_steps())
    return bool(steps) and bool(session.scalar(_HAS_UNDOABLE, {"id": job_id, "steps": steps}))


def _begin_undo(work: Unit, job_id: UUID, outcome: Outcome, *, failed: int) -> None:
    """Queue it once more, with a retry budget of its own; what had failed stays on show."""
    ending = {"status": outcome.status.value, "error": outcome.error}
    work.session.execute(_BEGIN_UNDO, {"id": job_id, "ending": ending, "failed": failed})
    abandon_children(work, job_id)
    work.changed.add(job_id)


def _columns(outcome: Outcome) -> dict[str, Any]:
    return {
        "status": outcome.status.value,
        "result": outcome.result,
        "error": outcome.error,
    }


def _one(row: object) -> None:
    if row is None:
        raise LeaseLost
