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
    known = ctx.recorded(step, key)
    if known is None or not known.is_done:
        known = _begin_or_end(ctx, signal, known or _new(ctx, step, key), timeout_s)
    if known.output.get("timed_out"):
        raise JobFailed(f"No {signal!r} came in time.", code=ErrorCode.SIGNAL_TIMEOUT)
    return known.output.get("data")


def _new(ctx: "JobContext", step: str, key: str) -> Checkpoint:
    return Checkpoint(step, key, kind="wait", state=StepState.INTENT, attempt=ctx.attempt)


def _begin_or_end(
    ctx: "JobContext", signal: str, known: Checkpoint, timeout_s: float | None
) -> Checkpoint:
    """Store that it waits, or what it waited for; raises Suspended as long as that is not there.

    A wait that begins looks for its signal at once: that is one transaction, not two.
    """
    with ctx.transaction() as session:
        now = session.scalars(select(func.clock_timestamp())).one()
        wait, until = _with_its_end(known, now, timeout_s)
        message = _next_signal(session, ctx, signal)
        has_ended = message is not None or (until is not None and now >= until)
        if message:
            message.consumed_at = now
        if has_ended:
            output = {"data": ctx.unsealed(message.data)} if message else {"timed_out": True}
            wait = replace(wait, state=StepState.DONE, attempt=ctx.attempt, output=output)
        ctx.flush(session)
        if wait is not known:
            checkpoints.store(session, ctx, wait)
    ctx.settled()
    ctx.remember(wait)
    if not has_ended:
        raise Suspended(signal, until)
    return wait


def _with_its_end(
    known: Checkpoint, now: datetime, timeout_s: float | None
) -> tuple[Checkpoint, datetime | None]:
    """The wait with the moment at which it is over, as it was when it began."""
    if known.output is not None:
        return known, known.output["until"] and datetime.fromisoformat(known.output["until"])
    until = now + timedelta(seconds=timeout_s) if timeout_s is not None else None
    return replace(known, output={"until": until.isoformat() if until else None}), until


def _next_signal(session: Session, ctx: "JobContext", name: str) -> JobSignal | None:
    query = select(JobSignal).where(
        JobSignal.job_id == ctx.job_id, JobSignal.name == name, JobSignal.consumed_at.is_(None)
    )
    return session.scalar(query.order_by(JobSignal.id).limit(1))
