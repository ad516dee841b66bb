"""A person says what became of an effect of which nobody could tell, and the job goes on."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action, actor_of
from stellwerk.audit.trail import record
from stellwerk.errors import Conflict, ErrorCode, FieldError, InvalidInput
from stellwerk.jobs.control import locked, requeue, requeue_children
from stellwerk.jobs.idempotency import Once, reserve
from stellwerk.jobs.model import Job, JobLog, JobStep, StepState
from stellwerk.jobs.runtime import Runtime, unit
from stellwerk.jobs.sealing import log_columns, seal
from stellwerk.jobs.states import JobStatus


@dataclass(frozen=True, slots=True)
class Resolution:
    """What was found out about an effect, by whom.

    `output` is what the call would have returned; `key` tells apart effects of one name, and may
    be left out (None) where only one of them is open.
    """

    effect: str
    happened: bool
    output: Any = None
    key: str | None = None
    note: str = ""
    resolver_id: int | None = None  # None: at the command line of the installation


def resolve(
    runtime: Runtime, job_id: UUID, resolution: Resolution, *, once: Once | None = None
) -> None:
    """Close an open effect of a failed job and queue the job again, from its checkpoints.

    An effect that happened is not done again; one that did not is done by the next attempt.
    Children that its end took along are queued again with it. Raises NotFound, Gone, InvalidInput
    naming the open effects, Conflict (JOB_NOT_UNCERTAIN, or what `control.requeue` raises).
    """
    with unit(runtime) as work:
        reserve(work.session, once, [job_id])
        requeue_children(runtime, work, job_id)
        job = locked(work.session, job_id)
        opened = _chosen(job, _open_effects(work.session, job), resolution)
        opened.state = (StepState.DONE if resolution.happened else StepState.UNDONE).value
        opened.output = _output(runtime, job, resolution)
        opened.finished_at = func.clock_timestamp()
        work.session.add(_log_line(runtime, job, opened, resolution))
        _note(work.session, job, opened, resolution)
        work.session.flush()
        requeue(runtime, work, job)


def _note(session: Session, job: Job, opened: JobStep, resolution: Resolution) -> None:
    record(
        session,
        action=Action.EFFECT_RESOLVED,
        actor=actor_of(resolution.resolver_id),
        subject_user_id=job.owner_id,
        target=f"job:{job.id}",
        details={
            "effect": opened.step,
            "key": opened.key,
            "happened": resolution.happened,
            "note": resolution.note,
        },
    )


def _open_effects(session: Session, job: Job) -> list[JobStep]:
    if job.status != JobStatus.FAILED:
        message = f"Only effects of failed jobs can be resolved; this one is {job.status}."
        raise Conflict(message, code=ErrorCode.JOB_NOT_UNCERTAIN)
    query = select(JobStep).where(
        JobStep.job_id == job.id,
        JobStep.kind == "effect",
        JobStep.state == StepState.INTENT.value,
    )
    found = list(session.scalars(query.order_by(JobStep.started_at)))
    if not found:
        message = "The job failed, but no effect of it is uncertain; retry it instead."
        raise Conflict(message, code=ErrorCode.JOB_NOT_UNCERTAIN)
    return found


def _chosen(job: Job, opened: list[JobStep], resolution: Resolution) -> JobStep:
    fitting = [
        step
        for step in opened
        if step.step == resolution.effect and resolution.key in {None, step.key}
    ]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(f"{step.step!r} with key {step.key!r}" for step in opened)
    field = "key" if fitting else "effect"
    message = f"Job {job.id} has other open effects than this, or several."
    raise InvalidInput(message, errors=[FieldError(field, f"Open: {names}.")])


def _output(runtime: Runtime, job: Job, resolution: Resolution) -> Any:
    """What the effect came to, as its job's are stored."""
    if not resolution.happened or resolution.output is None:
        return None
    output = resolution.output
    return seal(runtime.vault, job.id, output) if job.is_sensitive else output


def _log_line(runtime: Runtime, job: Job, opened: JobStep, resolution: Resolution) -> JobLog:
    who = "an operator" if resolution.resolver_id is None else f"user {resolution.resolver_id}"
    what = "happened" if resolution.happened else "did not happen"
    columns: dict[str, Any] = {
        "message": f"{who} found out that {opened.step!r} {what}: {resolution.note}".rstrip(": "),
        "fields": {
            "effect": opened.step,
            "key": opened.key,
            "happened": resolution.happened,
            "resolved_by": resolution.resolver_id,
            "note": resolution.note,
        },
    }
    if job.is_sensitive:
        columns = log_columns(runtime.vault, job.id, **columns)
    return JobLog(job_id=job.id, attempt=job.attempt, level="info", **columns)
