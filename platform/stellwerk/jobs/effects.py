"""Things done to the outside world: an intent is stored before, an outcome after.

How an effect can be repeated decides what a later attempt does that finds an intent without an
outcome: `idempotent` is called again with the same key, `probe` is asked for first, `blind`
ends the job with EFFECT_UNCERTAIN for a person to resolve. Nothing is silently done twice.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.db.engine import may_pass
from stellwerk.errors import ErrorCode, JobFailed, ProviderDeferred, ProviderRejected, Unavailable
from stellwerk.jobs.checkpoints import Checkpoint
from stellwerk.jobs.claims import FENCE
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.jobs.interruptions import HandedOver, Interruption, LeaseLost
from stellwerk.jobs.model import StepState
from stellwerk.tracing import span

if TYPE_CHECKING:
    from stellwerk.jobs.context import JobContext

MARGIN_S = 2.0  # clocks and scheduling
PROMPT_S = 1.0  # a call starts within this after its intent, or not at all
LATE_PAUSE_S = 1.0  # doubled in each round
LATE_ROUNDS = 5  # of starting again count as a failure
OUTAGE_PAUSE_S = 1.0
OUTAGE_TRIES = 600

_LATE = "late_rounds"  # in the output of an intent that was taken back

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

    `call` and `probe` are given the effect's idempotency key, to pass on to the provider: the same
    in every attempt, until a rollback undoes the step around it. `probe` (for Repeat.PROBE) tells
    whether it happened, and its output if it did. `key` tells apart effects of one name within a
    job.
    """

    name: str
    call: Callable[[str], Any]
    repeat: Repeat
    call_timeout_s: float
    key: str = ""
    probe: Callable[[str], tuple[Probed, Any]] | None = None

    def idempotency_key(self, job_id: UUID, generation: int = 0) -> str:
        """The job's id and a digest of the rest: 53 characters fit for a header."""
        again = f"\0{generation}" if generation else ""
        digest = sha256(f"{self.name}\0{self.key}{again}".encode()).hexdigest()
        return f"{job_id}-{digest[:16]}"


def perform(ctx: "JobContext", effect: Effect) -> Any:
    """Do it at most once over all attempts; returns its stored output.

    Raises JobFailed (EFFECT_UNCERTAIN) where nobody can tell whether it happened, HandedOver
    until an earlier attempt's call must have ended, or where the ledger is too slow, Unavailable
    where it stays so.
    """
    known = ctx.recorded(effect.name, effect.key)
    if known and known.is_done:
        return known.output
    if known and known.state is StepState.INTENT:
        settled = _settle(ctx, effect, known)
        if settled is not None:
            ctx.record(settled)
            return settled.output
    return _call(ctx, effect, known)


def _call(ctx: "JobContext", effect: Effect, known: Checkpoint | None) -> Any:
    intent = _intend(ctx, effect, known)
    try:
        with span(effect.name, tells_errors=not ctx.is_sensitive):
            output = effect.call(effect.idempotency_key(ctx.job_id, intent.generation))
    except (ProviderRejected, ProviderDeferred):  # certainly did not happen: may be tried again
        _conclude(ctx, replace(intent, state=StepState.UNDONE))
        raise
    _reach(ctx, CrashPoint.AFTER_EFFECT, effect)
    _conclude(ctx, replace(intent, state=StepState.DONE, output=output))
    return output


def _intend(ctx: "JobContext", effect: Effect, known: Checkpoint | None) -> Checkpoint:
    """Store the intent; what interrupts it before the call takes it back and leaves no doubt."""
    intent = Checkpoint(
        step=effect.name,
        key=effect.key,
        kind="effect",
        state=StepState.INTENT,
        attempt=ctx.attempt,
        repeatable=effect.repeat.value,
        call_timeout_s=effect.call_timeout_s,
        within=ctx.within_step,
        generation=known.generation if known else 0,
    )
    ctx.check()
    _ensure_lease(ctx, effect.call_timeout_s)
    began_at = time.monotonic()
    try:
        ctx.record(intent)
        is_prompt = _is_still_prompt(ctx, effect, began_at)
    except (Interruption, SQLAlchemyError):
        _conclude(ctx, replace(intent, state=StepState.UNDONE))
        raise
    if not is_prompt:
        _put_off(ctx, intent, known)
    _reach(ctx, CrashPoint.BEFORE_EFFECT, effect)
    return intent


def _reach(ctx: "JobContext", point: CrashPoint, effect: Effect) -> None:
    reach(ctx.runtime, point, ctx.job_id, step=effect.name, key=effect.key)


def _is_still_prompt(ctx: "JobContext", effect: Effect, began_at: float) -> bool:
    """This process may have been frozen since, and replaced: a successor counts from the intent.

    Raises LeaseLost, or what stopped the attempt.
    """
    _ensure_lease(ctx, effect.call_timeout_s)
    ctx.check()
    return time.monotonic() - began_at <= PROMPT_S


def _put_off(ctx: "JobContext", intent: Checkpoint, known: Checkpoint | None) -> NoReturn:
    """Take the intent back, and start again ever later: a process that was frozen is so once.

    A ledger that is slow may be so for long: every few rounds count as a failure. The intent that
    was taken back keeps how many there were. Raises HandedOver or Unavailable.
    """
    before = known.output if known and known.state is StepState.UNDONE else None
    rounds = 1 + (before.get(_LATE, 0) if isinstance(before, dict) else 0)
    is_failure = rounds >= LATE_ROUNDS
    kept = None if is_failure else {_LATE: rounds}
    _conclude(ctx, replace(intent, state=StepState.UNDONE, output=kept))
    reason = f"too long passed before the call of {intent.step}"
    if is_failure:
        raise Unavailable(f"The ledger is slow: {reason}.")
    raise HandedOver(reason, delay_s=LATE_PAUSE_S * 2 ** (rounds - 1))


def _conclude(ctx: "JobContext", outcome: Checkpoint) -> None:
    """Store what came of it, however long the ledger is gone: to forget it would be a doubt.

    Raises LeaseLost where this attempt may not say so any more.
    """
    for _ in range(OUTAGE_TRIES):
        try:
            ctx.record(outcome)
        except SQLAlchemyError as exc:
            if not may_pass(exc):
                raise
            time.sleep(OUTAGE_PAUSE_S)
        else:
            return
    ctx.record(outcome)


def _ensure_lease(ctx: "JobContext", call_timeout_s: float) -> None:
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


def _settle(ctx: "JobContext", effect: Effect, known: Checkpoint) -> Checkpoint | None:
    """Find out about an earlier attempt's call; None where it may be done (again)."""
    _await_end_of_call(ctx, known)
    if effect.repeat is Repeat.IDEMPOTENT:
        return None
    answer, output = _asked(ctx, effect, known.generation)
    if answer is Probed.HAPPENED:
        return replace(known, state=StepState.DONE, attempt=ctx.attempt, output=output)
    if answer is Probed.NOT_HAPPENED:
        return None
    message = (
        f"Whether {effect.name!r} happened cannot be told: its worker vanished during the call. "
        "Find out, then resolve the job."
    )
    details = {"effect": effect.name, "key": effect.key}
    raise JobFailed(message, code=ErrorCode.EFFECT_UNCERTAIN, details=details)


def _asked(ctx: "JobContext", effect: Effect, generation: int) -> tuple[Probed, Any]:
    if effect.repeat is not Repeat.PROBE or effect.probe is None:
        return Probed.UNKNOWN, None
    return effect.probe(effect.idempotency_key(ctx.job_id, generation))


def _await_end_of_call(ctx: "JobContext", known: Checkpoint) -> None:
    with ctx.runtime.sessions() as session:
        now = session.scalar(select(func.clock_timestamp()))
    if known.started_at is None or now is None:
        return
    ends_at = known.started_at + timedelta(seconds=(known.call_timeout_s or 0) + MARGIN_S)
    if now < ends_at:
        reason = f"an earlier call of {known.step} may still be under way"
        raise HandedOver(reason, delay_s=(ends_at - now).total_seconds())
