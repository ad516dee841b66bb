"""Stored steps of a job: reading, writing, and what they say about its progress."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from stellwerk.jobs.model import JobStep, StepState
from stellwerk.jobs.operation import Operation

if TYPE_CHECKING:
    from stellwerk.jobs.context import JobContext

_STORE = text("""
    INSERT INTO job_steps (job_id, step, key, kind, repeatable, state, attempt, call_timeout_s,
        output, started_at, finished_at)
    VALUES (:job_id, :step, :key, :kind, :repeatable, :state, :attempt, :call_timeout_s, :output,
        clock_timestamp(), CASE WHEN :state <> 'intent' THEN clock_timestamp() END)
    ON CONFLICT (job_id, step, key) DO UPDATE SET state = :state, attempt = :attempt,
        output = :output, call_timeout_s = :call_timeout_s,
        started_at = CASE WHEN :state = 'intent' THEN clock_timestamp()
                     ELSE job_steps.started_at END,
        finished_at = CASE WHEN :state <> 'intent' THEN clock_timestamp() END
""").bindparams(bindparam("output", type_=JSONB(none_as_null=True)))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A step, an effect or a wait as it is stored; `output` is JSON."""

    step: str
    key: str
    kind: str
    state: StepState
    attempt: int
    output: Any = None
    repeatable: str | None = None
    call_timeout_s: float | None = None
    started_at: datetime | None = None

    @property
    def is_done(self) -> bool:
        """Whether it need not run again."""
        return self.state is StepState.DONE


def intent(ctx: "JobContext", name: str, key: str) -> Checkpoint:
    """A step about to run."""
    return Checkpoint(name, key, "checkpoint", StepState.INTENT, ctx.attempt)


def done(ctx: "JobContext", name: str, key: str, output: Any) -> Checkpoint:
    """A step that ran."""
    return Checkpoint(name, key, "checkpoint", StepState.DONE, ctx.attempt, output)


def recorded(session: Session, job_id: UUID) -> dict[tuple[str, str], Checkpoint]:
    """Everything stored for a job, by step and key, in the order it was begun."""
    query = select(JobStep).where(JobStep.job_id == job_id).order_by(JobStep.started_at)
    return {(row.step, row.key): _checkpoint(row) for row in session.scalars(query)}


def store(session: Session, job_id: UUID, checkpoint: Checkpoint) -> None:
    """Write a checkpoint over what is stored of the same step and key."""
    session.execute(
        _STORE,
        {
            "job_id": job_id,
            "step": checkpoint.step,
            "key": checkpoint.key,
            "kind": checkpoint.kind,
            "repeatable": checkpoint.repeatable,
            "state": checkpoint.state.value,
            "attempt": checkpoint.attempt,
            "call_timeout_s": checkpoint.call_timeout_s,
            "output": checkpoint.output,
        },
    )


def percent(operation: Operation, step: str, fraction: float | None) -> int:
    """Overall progress (0 to 99) when `step` is done to `fraction`, by the steps' weights.

    None says nothing about progress: 0, which never lowers what is shown.
    """
    if fraction is None:
        return 0
    if not operation.steps:
        return min(round(100 * fraction), 99)
    names = [declared.name for declared in operation.steps]
    weights = [declared.weight for declared in operation.steps]
    if step not in names:
        return 0
    position = names.index(step)
    reached = sum(weights[:position]) + weights[position] * fraction
    return min(round(100 * reached / sum(weights)), 99)


def _checkpoint(row: JobStep) -> Checkpoint:
    return Checkpoint(
        step=row.step,
        key=row.key,
        kind=row.kind,
        state=StepState(row.state),
        attempt=row.attempt,
        output=row.output,
        repeatable=row.repeatable,
        call_timeout_s=row.call_timeout_s,
        started_at=row.started_at,
    )
