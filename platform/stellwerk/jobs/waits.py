"""Waiting for a signal without holding a worker: the wait is stored, and replayed when it ends."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stellwerk.errors import ErrorCode, JobFailed
from stellwerk.jobs import checkpoints
from stellwerk.jobs.checkpoints import Checkpoint
from stellwerk.jobs.interruptions import Suspended
from stellwerk.jobs.model import JobSignal, StepState

if TYPE_CHECKING:
    from stellwerk.jobs.context import JobContext

NAME_MAX = 75  # letters of a signal's name, which is a part of its step's


def wait_for(ctx: "JobContext", signal: str, *, timeout_s: float | None, key: str = "") -> Any:
    """The data of the next signal of that name; the worker is given back meanwhile.

    The handler runs again from its checkpoints when the signal comes. Several waits for the same
    name are told apart by their order; a handler whose order differs from attempt to attempt
    gives each a `key`. Raises JobFailed (SIGNAL_TIMEOUT) when `timeout_s` passed since the wait
    began, ValueError for a name that no signal can have.
    """
    if not 1 <= len(signal) <= NAME_MAX:
        message = f"A signal's name has 1 to {NAME_MAX} letters, this one {len(signal)}."
        raise ValueError(message)
    step = f"wait:{signal}"
    key = key or ctx.occurrence(step)
    known = ctx.recorded(step, key) or _begin_wait(ctx, step, timeout_s, key)
    if not known.is_done:
        known = _try_to_end_wait(ctx, signal, known)
    if known.output.get("timed_out"):
        raise JobFailed(f"No {signal!r} came in time.", code=ErrorCode.SIGNAL_TIMEOUT)
    return known.output.get("data")


def _begin_wait(ctx: "JobContext", step: str, timeout_s: float | None, key: str) -> Checkpoint:
    with ctx.runtime.sessions() as session:
        now = session.scalars(select(func.clock_timestamp())).one()
    until = now + timedelta(seconds=timeout_s) if timeout_s is not None else None
    known = Checkpoint(
        step=step,
        key=key,
        kind="wait",
        state=StepState.INTENT,
        attempt=ctx.attempt,
        output={"until": until.isoformat() if until else None},
    )
    ctx.record(known)
    return known


def _try_to_end_wait(ctx: "JobContext", signal: str, known: Checkpoint) -> Checkpoint:
    until = known.output["until"] and datetime.fromisoformat(known.output["until"])
    with ctx.transaction() as session:
        message = _next_signal(session, ctx, signal)
        now = session.scalars(select(func.clock_timestamp())).one()
        if message is None and (until is None or now < until):
            raise Suspended(signal, until)
        output = {"data": ctx.unsealed(message.data)} if message else {"timed_out": True}
        ended = replace(known, state=StepState.DONE, attempt=ctx.attempt, output=output)
        if message:
            message.consumed_at = now
        checkpoints.store(session, ctx, ended)
    ctx.remember(ended)
    return ended


def _next_signal(session: Session, ctx: "JobContext", name: str) -> JobSignal | None:
    query = select(JobSignal).where(
        JobSignal.job_id == ctx.job_id, JobSignal.name == name, JobSignal.consumed_at.is_(None)
    )
    return session.scalar(query.order_by(JobSignal.id).limit(1))
