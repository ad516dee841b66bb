"""Stored steps of a job: reading, writing, and what they say about its progress."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from stellwerk.jobs.model import JobStep, StepState
from stellwerk.jobs.operation import Operation
from stellwerk.jobs.sealing import is_sealed

if TYPE_CHECKING:
    from stellwerk.jobs.context import JobContext

_STORE = text("""
    INSERT INTO job_steps (job_id, step, key, kind, repeatable, state, attempt, call_timeout_s,
        output, within_step, within_key, generation, started_at, finished_at)
    VALUES (:job_id, :step, :key, :kind, :repeatable, :state, :attempt, :call_timeout_s, :output,
        :within_step, :within_key, :generation, clock_timestamp(),
        CASE WHEN :state <> 'intent' THEN clock_timestamp() END)
    ON CONFLICT (job_id, step, key) DO UPDATE SET state = :state, attempt = :attempt,
        output = :output, call_timeout_s = :call_timeout_s, within_step = :within_step,
        within_key = :within_key, generation = :generation,
        started_at = CASE WHEN :state = 'intent' THEN clock_timestamp()
                     ELSE job_steps.started_at END,
        finished_at = CASE WHEN :state <> 'intent' THEN clock_timestamp() END
""").bindparams(bindparam("output", type_=JSONB(none_as_null=True)))


Place = tuple[str, str]  # a step and its key


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A step, an effect or a wait as it is stored; `output` is JSON.

    `within` is the step that ran around it; `generation` how often it was undone with that.
    """

    step: str
    key: str
    kind: str
    state: StepState
    attempt: int
    output: Any = None
    repeatable: str | None = None
    call_timeout_s: float | None = None
    started_at: datetime | None = None
    within: Place | None = None
    generation: int = 0

    @property
    def place(self) -> Place:
        """What it is found by."""
        return self.step, self.key

    @property
    def is_done(self) -> bool:
        """Whether it need not run again."""
        return self.state is StepState.DONE

    @property
    def is_begun(self) -> bool:
        """Whether it was done, or may have been."""
        return self.state is not StepState.UNDONE


def intent(ctx: "JobContext", name: str, key: str) -> Checkpoint:
    """A step about to run."""
    return Checkpoint(
        name, key, "checkpoint", StepState.INTENT, ctx.attempt, within=ctx.within_step
    )


def undone(ctx: "JobContext", step: Checkpoint) -> list[Checkpoint]:
    """A step that was rolled back, and what was done within it: the next run does all of it again.

    Waits stay as they ended. A step within that has an undo of its own is left to that.
    """
    own = set(ctx.claimed.operation.undoable_steps())
    inner = [one for one in ctx.checkpoints() if one.kind == "effect" or one.step not in own]
    places = {step.place}
    while more := {one.place for one in inner if one.within in places} - places:
        places |= more
    done = [
        one
        for one in inner
        if one.place in places - {step.place} and one.kind != "wait" and one.is_begun
    ]
    return [
        replace(one, state=StepState.UNDONE, attempt=ctx.attempt, generation=one.generation + 1)
        for one in (step, *done)
    ]


def recorded(session: Session, ctx: "JobContext") -> dict[tuple[str, str], Checkpoint]:
    """Everything stored for a job, by step and key, in the order it was begun."""
    query = select(JobStep).where(JobStep.job_id == ctx.job_id).order_by(JobStep.started_at)
    return {(row.step, row.key): _checkpoint(row, ctx) for row in session.scalars(query)}


def store(session: Session, ctx: "JobContext", checkpoint: Checkpoint) -> None:
    """Write a checkpoint over what is stored of the same step and key."""
    session.execute(
        _STORE,
        {
            "job_id": ctx.job_id,
            "step": checkpoint.step,
            "key": checkpoint.key,
            "kind": checkpoint.kind,
            "repeatable": checkpoint.repeatable,
            "state": checkpoint.state.value,
            "attempt": checkpoint.attempt,
            "call_timeout_s": checkpoint.call_timeout_s,
            "output": _each(ctx.sealed, checkpoint.kind, checkpoint.output),
            "within_step": checkpoint.within and checkpoint.within[0],
            "within_key": checkpoint.within and checkpoint.within[1],
            "generation": checkpoint.generation,
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


def _each(change: Callable[[Any], Any], kind: str, output: Any) -> Any:
    """Seal or unseal an output; of a wait for a signal the data alone: SQL reads the rest."""
    if output is None:
        return None
    if kind == "wait" and isinstance(output, dict) and not is_sealed(output):
        return {name: change(one) if name == "data" else one for name, one in output.items()}
    return change(output)


def _checkpoint(row: JobStep, ctx: "JobContext") -> Checkpoint:
    return Checkpoint(
        step=row.step,
        key=row.key,
        kind=row.kind,
        state=StepState(row.state),
        attempt=row.attempt,
        output=_each(ctx.unsealed, row.kind, row.output),
        repeatable=row.repeatable,
        call_timeout_s=row.call_timeout_s,
        started_at=row.started_at,
        within=None if row.within_step is None else (row.within_step, row.within_key or ""),
        generation=row.generation,
    )
