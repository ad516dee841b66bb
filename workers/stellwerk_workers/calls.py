"""The handler that has a number called: it asks for that, and holds no worker meanwhile.

Dialling is the telephony process's. Here it is one effect, between its intent and the call's end:
a call of which nobody can tell whether it was dialled leaves it open, for a person to resolve.
"""

from dataclasses import replace
from itertools import count
from typing import Any

from stellwerk.calls import service, waiting
from stellwerk.calls.schemas import OriginateResult
from stellwerk.calls.settling import SIGNAL, STEP
from stellwerk.errors import ErrorCode, JobFailed
from stellwerk.jobs import checkpoints
from stellwerk.jobs.checkpoints import Checkpoint
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.jobs.effects import Repeat
from stellwerk.jobs.model import StepState
from stellwerk_workers import recordings
from stellwerk_workers.handlers import handles

WAIT = f"wait:{SIGNAL}"
UNCERTAIN = (
    "What became of the call cannot be told: the switch knows nothing of it any more, and nobody "
    "heard whether somebody was reached. Find out, then resolve the job."
)


@handles("calls.originate")
def originate(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001  the call has all of it
    """Ask for the call, wait for its end, and return its record."""
    known = ctx.recorded(STEP)
    if known and known.is_done:
        return _resolved(ctx, known.output)
    if known and known.is_begun:
        intent, timeout_s = known, None
    else:
        intent, timeout_s = _ask(ctx), waiting.at_first_s(ctx.runtime)
    _wait(ctx, timeout_s)
    reach(ctx.runtime, CrashPoint.AFTER_EFFECT, ctx.job_id, step=STEP)
    return _outcome(ctx, intent)


def _ask(ctx: JobContext) -> Checkpoint:
    """The intent, and from now on it may be dialled: both or neither."""
    intent = Checkpoint(
        step=STEP,
        key="",
        kind="effect",
        state=StepState.INTENT,
        attempt=ctx.attempt,
        repeatable=Repeat.BLIND.value,
    )
    ctx.check()
    with ctx.transaction() as session:
        service.ask(session, ctx.job_id)
        checkpoints.store(session, ctx, intent)
    ctx.remember(intent)
    reach(ctx.runtime, CrashPoint.BEFORE_EFFECT, ctx.job_id, step=STEP)
    return intent


def _wait(ctx: JobContext, timeout_s: float | None) -> None:
    """Until the call has ended, whoever says so; a wait that ends before is followed by another.

    `timeout_s`: of the first wait, where that is known.
    """
    for number in count(1):
        if timeout_s is None and not ctx.recorded(WAIT, f"#{number}"):
            timeout_s = waiting.longest_s(ctx.runtime, ctx.job_id)
        try:
            ctx.wait_for(SIGNAL, timeout_s=timeout_s, key=f"#{number}")
        except JobFailed as exc:
            if exc.code is not ErrorCode.SIGNAL_TIMEOUT:
                raise
        if waiting.is_over(ctx.runtime, ctx.job_id):
            return
        timeout_s = None


def _outcome(ctx: JobContext, intent: Checkpoint) -> dict[str, Any]:
    with ctx.runtime.sessions() as session:
        call = service.call_of_job(session, ctx.job_id, with_numbers=False)
        refusal, cause = call.refusal, call.cause
        is_uncertain = call.is_uncertain
        record = {} if refusal or is_uncertain else service.record_of(session, call)
        is_recorded = call.is_recorded and call.answered_at is not None
    if is_uncertain:
        details = {"effect": STEP, "key": ""}
        raise JobFailed(UNCERTAIN, code=ErrorCode.EFFECT_UNCERTAIN, details=details)
    if refusal:
        ctx.record(replace(intent, state=StepState.UNDONE, attempt=ctx.attempt))
        message = f"The number was not dialled: {cause or 'no reason was given'}."
        raise JobFailed(message, code=ErrorCode(refusal))
    output = OriginateResult().dump(record)
    if is_recorded:
        recordings.take(ctx, record["call_id"])
    _record(ctx, replace(intent, state=StepState.DONE, attempt=ctx.attempt, output=output))
    if is_recorded:
        recordings.remove(ctx.runtime, record["call_id"])
    return record


def _record(ctx: JobContext, outcome: Checkpoint) -> None:
    """Of which nobody is shown anything: the job ends with it."""
    with ctx.transaction() as session:
        ctx.flush(session)
        checkpoints.store(session, ctx, outcome)
    ctx.settled()
    ctx.remember(outcome)


def _resolved(ctx: JobContext, output: Any) -> dict[str, Any]:
    """A person found out that it was dialled, or an earlier attempt stored its end."""
    with ctx.transaction() as session:
        call = service.believe(session, ctx.job_id, output)
        return service.record_of(session, call)
