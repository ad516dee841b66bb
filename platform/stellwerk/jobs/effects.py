"""Things done to the outside world, and waits: an intent is stored before, an outcome after.

How an effect can be repeated decides what a later attempt does that finds an intent without an
outcome: `idempotent` is called again with the same key, `probe` is asked for first, `blind`
ends the job with EFFECT_UNCERTAIN for a person to resolve. Nothing is silently done twice.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from stellwerk.errors import ErrorCode, JobFailed, ProviderRejected
from stellwerk.jobs import checkpoints
from stellwerk.jobs.checkpoints import Checkpoint
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.jobs.interruptions import HandedOver, LeaseLost, Suspended
from stellwerk.jobs.lifecycle import FENCE
from stellwerk.jobs.model import JobSignal, StepState

MARGIN_S = 2.0  # clocks and scheduling

_RENEW = text(f"""
    UPDATE jobs SET lease_until = now() + :lease WHERE {FENCE} RETURNING id
""")


class Repeat(StrEnum):
    """How an effect may be repeated."""

    IDEMPOTENT = "idempotent"
    PROBE = "probe"
    BLIND = "blind"


class Probed(StrEnum):
    """What asking the outside world about an effect gave."""

    HAPPENED = "happened"
    NOT_HAPPENED = "not_happened"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing to do: `call` does it and returns JSON; it must give up after `call_timeout_s`.

    `probe` (for Repeat.PROBE) tells whether it happened, and its output if it did.
    """

    name: str
    call: Callable[[], Any]
    repeat: Repeat
    call_timeout_s: float
    key: str = ""
    probe: Callable[[], tuple[Probed, Any]] | None = None


def perform(ctx: JobContext, effect: Effect) -> Any:
    """Do it at most once over all attempts; returns its stored output.

    Raises JobFailed (EFFECT_UNCERTAIN) where nobody can tell whether it happened, HandedOver
    until an earlier attempt's call must have ended.
    """
    known = ctx.recorded(effect.name, effect.key)
    if known and known.is_done:
        return known.output
    if known and known.state is StepState.INTENT:
        settled = _settle(ctx, effect, known)
        if settled is not None:
            ctx.record(settled)
            return settled.output
    return _call(ctx, effect)


def wait_for(ctx: JobContext, signal: str, *, timeout_s: float | None, key: str = "") -> Any:
    """The data of the next signal of that name; the worker is given back meanwhile.

    The handler runs again from its checkpoints when the signal comes. Raises JobFailed
    (SIGNAL_TIMEOUT) when `timeout_s` passed since the first wait.
    """
    known = ctx.recorded(f"wait:{signal}", key)
    if known is None:
        known = _begin_wait(ctx, signal, timeout_s, key)
    if not known.is_done:
        known = _try_to_end_wait(ctx, signal, known)
    if known.output.get("timed_out"):
        raise JobFailed(f"No {signal!r} came in time.", code=ErrorCode.SIGNAL_TIMEOUT)
    return known.output.get("data")


def _call(ctx: JobContext, effect: Effect) -> Any:
    intent = Checkpoint(
        step=effect.name,
        key=effect.key,
        kind="effect",
        state=StepState.INTENT,
        attempt=ctx.attempt,
        repeatable=effect.repeat.value,
        call_timeout_s=effect.call_timeout_s,
    )
    ctx.check()
    ctx.record(intent)
    _ensure_lease(ctx, effect.call_timeout_s)
    reach(ctx.runtime.settings, CrashPoint.BEFORE_EFFECT, ctx.job_id)
    try:
        output = effect.call()
    except ProviderRejected:  # certainly did not happen: a later attempt may try again
        ctx.record(replace(intent, state=StepState.UNDONE))
        raise
    reach(ctx.runtime.settings, CrashPoint.AFTER_EFFECT, ctx.job_id)
    ctx.record(replace(intent, state=StepState.DONE, output=output))
    return output


def _ensure_lease(ctx: JobContext, call_timeout_s: float) -> None:
    """The lease must outlive the call, or a successor could repeat it while it runs."""
    if ctx.lease_deadline - time.monotonic() > call_timeout_s + MARGIN_S:
        return
    lease_s = max(ctx.runtime.settings.job_lease_s, call_timeout_s + 2 * MARGIN_S)
    asked_at = time.monotonic()
    values = ctx.claimed.fence | {"lease": timedelta(seconds=lease_s)}
    with ctx.runtime.sessions.begin() as session:
        if session.execute(_RENEW, values).first() is None:
            raise LeaseLost
    ctx.lease_deadline = asked_at + lease_s
    ctx.check()


def _settle(ctx: JobContext, effect: Effect, known: Checkpoint) -> Checkpoint | None:
    """Find out about an earlier attempt's call; None where it may be done (again)."""
    _await_end_of_call(ctx, known)
    if effect.repeat is Repeat.IDEMPOTENT:
        return None
    answer, output = effect.probe() if effect.probe else (Probed.UNKNOWN, None)
    if answer is Probed.HAPPENED:
        return replace(known, state=StepState.DONE, attempt=ctx.attempt, output=output)
    if answer is Probed.NOT_HAPPENED:
        return None
    message = (
        f"Whether {effect.name!r} happened cannot be told: its worker vanished during the call. "
        "Find out, then resolve the job."
    )
    raise JobFailed(message, code=ErrorCode.EFFECT_UNCERTAIN, details={"effect": effect.name})


def _await_end_of_call(ctx: JobContext, known: Checkpoint) -> None:
    with ctx.runtime.sessions() as session:
        now = session.scalar(select(func.clock_timestamp()))
    if known.started_at is None or now is None:
        return
    ends_at = known.started_at + timedelta(seconds=(known.call_timeout_s or 0) + MARGIN_S)
    if now < ends_at:
        reason = f"an earlier call of {known.step} may still be under way"
        raise HandedOver(reason, delay_s=(ends_at - now).total_seconds())


def _begin_wait(ctx: JobContext, signal: str, timeout_s: float | None, key: str) -> Checkpoint:
    with ctx.runtime.sessions() as session:
        now = session.scalars(select(func.clock_timestamp())).one()
    until = now + timedelta(seconds=timeout_s) if timeout_s is not None else None
    known = Checkpoint(
        step=f"wait:{signal}",
        key=key,
        kind="wait",
        state=StepState.INTENT,
        attempt=ctx.attempt,
        output={"until": until.isoformat() if until else None},
    )
    ctx.record(known)
    return known


def _try_to_end_wait(ctx: JobContext, signal: str, known: Checkpoint) -> Checkpoint:
    until = known.output["until"] and datetime.fromisoformat(known.output["until"])
    with ctx.transaction() as session:
        message = _next_signal(session, ctx, signal)
        now = session.scalars(select(func.clock_timestamp())).one()
        if message is None and (until is None or now < until):
            raise Suspended(signal, until)
        output = {"data": message.data} if message else {"timed_out": True}
        ended = replace(known, state=StepState.DONE, attempt=ctx.attempt, output=output)
        if message:
            message.consumed_at = now
        checkpoints.store(session, ctx.job_id, ended)
    ctx.remember(ended)
    return ended


def _next_signal(session: Session, ctx: JobContext, name: str) -> JobSignal | None:
    query = select(JobSignal).where(
        JobSignal.job_id == ctx.job_id, JobSignal.name == name, JobSignal.consumed_at.is_(None)
    )
    return session.scalar(query.order_by(JobSignal.id).limit(1))
