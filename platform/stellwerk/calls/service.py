"""The rules of calls: what is accepted, and what a job's life does to its call."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action, Party
from stellwerk.audit.trail import record
from stellwerk.calls import breaker, causes, dials, limits, settling
from stellwerk.calls.model import Call, CallEvent
from stellwerk.calls.numbers import Number, ensure_callable, ensure_shown, number
from stellwerk.calls.pricing import price_of
from stellwerk.calls.settling import STEP
from stellwerk.calls.states import ENDED, CallState
from stellwerk.choices import Mode
from stellwerk.clock import new_id
from stellwerk.configuration.calling import CALL_PRICES_EUR, CALLER_IDS
from stellwerk.errors import Conflict, ErrorCode, NotFound, NotPermitted, Unavailable
from stellwerk.identity.permissions import Role, permissions_of
from stellwerk.jobs.model import Job, JobStep, StepState
from stellwerk.jobs.runtime import Runtime, unit
from stellwerk.jobs.sealing import unseal
from stellwerk.jobs.states import JobStatus
from stellwerk.masking import masked_number

RECORDING = "calls:record"

_SETTLED = text("SELECT state FROM calls WHERE job_id = :job_id AND NOT is_uncertain")
_ASK = text("""
    WITH asked AS (
        UPDATE calls SET asked_at = clock_timestamp()
        WHERE job_id = :job_id AND state = 'queued' RETURNING id)
    SELECT pg_notify(:channel, '') FROM asked
""")


def accept_call(session: Session, job: Job, runtime: Runtime) -> None:
    """Refuse what is not called, or may not be; else reserve its price and add the call.

    Raises InvalidInput (a number, by its field), LimitReached, PaymentRequired (BUDGET_EXCEEDED),
    NotPermitted (no owner, or no right to record), ProviderRejected (what the trunk can not do),
    Unavailable (TRUNK_UNAVAILABLE).
    """
    if job.owner_id is None:
        raise NotPermitted("A call needs an owner.")
    payload = unseal(runtime.vault, job.id, job.payload)
    numbers = _numbers(runtime, payload)
    call = _call(runtime, job, payload, numbers)
    _refuse_undialable(runtime, call)
    user = limits.locked_user(session, job.owner_id)
    if payload["record"] and RECORDING not in permissions_of(Role(user.role)):
        details = {"permission": RECORDING}
        raise NotPermitted(f"This needs the permission {RECORDING}.", details=details)
    limits.refuse_too_many(session, runtime, user)
    breaker.refuse_if_open(session, runtime, runtime.settings.call_provider.value)
    job.reserved_cost = limits.reserve(session, runtime, user, payload)
    session.add(call)
    session.flush()
    _note(session, call, numbers)


def end_call(session: Session, job: Job, runtime: Runtime) -> None:
    """Whoever ended the job: what was not dialled never is, and what is under way is hung up.

    What became of an uncertain call, and so what it costs, a person has to find out.
    """
    if session.scalar(_SETTLED, {"job_id": job.id}) in ENDED:
        return  # as most have, and they stay so as long as the caller holds the job
    call = _locked_of(session, job.id)
    if call is None:
        return
    if call.state in ENDED:
        if call.is_uncertain and job.status == JobStatus.FAILED:
            job.reserved_cost = limits.most_of(runtime, call)
        return
    now = settling.now_of(session)
    if call.state != CallState.QUEUED:
        call.hangup_asked_at = call.hangup_asked_at or now
        settling.notify(session)
        return
    is_cancelled = job.status == JobStatus.CANCELLED
    call.state = CallState.CANCELLED if is_cancelled else CallState.FAILED
    call.cause = causes.ORIGINATOR_CANCEL if is_cancelled else causes.NOT_DIALLED
    call.ended_at = now


def requeue_call(session: Session, job: Job, runtime: Runtime) -> None:
    """The job is tried again; its number only where it certainly was not dialled.

    Raises Conflict (JOB_NOT_RETRYABLE), and what `accept_call` raises of limits and budget.
    """
    step = session.get(JobStep, (job.id, STEP, ""))
    call = _locked_of(session, job.id)
    if call is None or job.owner_id is None:
        raise Conflict("The call was erased.", code=ErrorCode.JOB_NOT_RETRYABLE)
    if step and step.state == StepState.DONE.value:
        return  # a person says that it happened
    if call.is_uncertain and step and step.state == StepState.INTENT.value:
        return  # nobody has found out yet: it fails again
    was_dialled = call.dials > 0 and not call.refusal and not call.is_uncertain
    if was_dialled or call.state not in ENDED:
        message = "The number was dialled already, and is not a second time. Make another call."
        raise Conflict(message, code=ErrorCode.JOB_NOT_RETRYABLE)
    if step:
        step.state = StepState.UNDONE.value
    user = limits.locked_user(session, job.owner_id)
    limits.refuse_too_many(session, runtime, user)
    payload = unseal(runtime.vault, job.id, job.payload)
    job.reserved_cost = Decimal()  # of the call that never was
    job.reserved_cost = limits.reserve(session, runtime, user, payload)
    _reset(session, call)


def ask(session: Session, job_id: UUID) -> None:
    """From now on the call of this job, which the caller locked, may be dialled."""
    session.execute(_ASK, {"job_id": job_id, "channel": settling.CHANNEL})


def believe(session: Session, job_id: UUID, output: Any) -> Call:
    """Take a person's word that a call was dialled; `output` may name the state it came to.

    It costs nothing: nobody measured how long it lasted.
    """
    call = _locked_of(session, job_id)
    if call is None:
        raise NotFound(f"Job {job_id} has no call.")
    if call.is_uncertain:
        said = output.get("state") if isinstance(output, dict) else None
        call.state = _ended_state(said)
        call.is_uncertain = False
    return call


def hang_up(runtime: Runtime, user_id: int, call_id: UUID) -> CallState:
    """End the user's call: at once where it was not dialled yet, else soon; returns its state.

    Raises NotFound, and Conflict for a call that has ended.
    """
    with unit(runtime) as work:
        call = settling.locked(work.session, [call_id]).get(call_id)
        if call is None or call.user_id != user_id:
            raise NotFound(f"You have no call {call_id}.")
        if call.state in ENDED:
            message = f"The call has ended already: {call.state}."
            details = {"state": call.state, "hangup_cause": call.cause}
            raise Conflict(message, code=ErrorCode.CALL_ENDED, details=details)
        now = settling.now_of(work.session)
        call.hangup_asked_at = call.hangup_asked_at or now
        if call.state == CallState.QUEUED:
            settling.end(work, call, CallState.CANCELLED, causes.ORIGINATOR_CANCEL)
        else:
            settling.notify(work.session)
        return CallState(call.state)


def call_of_job(session: Session, job_id: UUID, *, with_numbers: bool = True) -> Call:
    """The call that a job originates, its numbers read at once or when asked for.

    Raises NotFound.
    """
    query = select(Call).where(Call.job_id == job_id)
    found = session.scalar(query if with_numbers else query.options(*settling.NUMBERLESS))
    if found is None:
        raise NotFound(f"Job {job_id} has no call.")
    return found


def record_of(session: Session, call: Call) -> dict[str, Any]:
    """The call as its job's result, in full where its numbers can be read: it is sealed."""
    numbers = dials.numbers_of(session, [call.id]).get(call.id, dials.UNKNOWN)
    return {
        "call_id": call.id,
        "state": CallState(call.state),
        "cause": call.cause,
        "to": numbers.to,
        "from": numbers.first,
        "created_at": call.created_at,
        "dialed_at": call.intended_at,
        "ringing_at": call.ringing_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        "duration_s": call.duration_s or 0,
        "billable_s": call.billable_s or 0,
        "cost_eur": call.cost_eur or 0,
    }


def _note(session: Session, call: Call, numbers: dict[str, Number]) -> None:
    record(
        session,
        action=Action.CALL_REQUESTED,
        actor=call.user_id or Party.SYSTEM,
        subject_user_id=call.user_id,
        target=f"call:{call.id}",
        details={field: masked_number(one.e164) for field, one in numbers.items()},
    )


def _refuse_undialable(runtime: Runtime, call: Call) -> None:
    """In development a call may wait for its switch to be set up."""
    trunk = runtime.providers.trunk
    if trunk is not None:
        trunk.refuse(dials.planned(runtime, call))
    elif runtime.settings.mode is Mode.PRODUCTION:
        message = "No switch or carrier is set up here that could carry calls."
        raise Unavailable(message, code=ErrorCode.TRUNK_UNAVAILABLE)


def _numbers(runtime: Runtime, payload: dict[str, Any]) -> dict[str, Number]:
    """By the payload's fields; those that are dialled may be, and that which is shown."""
    region = runtime.settings.call_region
    found = {
        field: number(payload[field], region, field)
        for field in ("to", "from", "caller_id")
        if payload[field]
    }
    for field in found.keys() - {"caller_id"}:
        ensure_callable(found[field], runtime.configuration, field)
    if "caller_id" in found:
        _refuse_shown(runtime, found["caller_id"])
    return found


def _refuse_shown(runtime: Runtime, shown: Number) -> None:
    """In development, as long as none is configured, any may be shown."""
    settings, configuration = runtime.settings, runtime.configuration
    if configuration[CALLER_IDS] or settings.mode is Mode.PRODUCTION:
        ensure_shown(shown, configuration, settings.carrier_caller_id, "caller_id")


def _call(runtime: Runtime, job: Job, payload: dict[str, Any], numbers: dict[str, Number]) -> Call:
    prices = runtime.configuration[CALL_PRICES_EUR]
    to, first, shown = (numbers.get(field) for field in ("to", "from", "caller_id"))
    price = price_of(numbers["to"].e164, prices)
    lookups = runtime.vault.lookups
    return Call(
        id=new_id(),
        job_id=job.id,
        user_id=job.owner_id,
        provider=runtime.settings.call_provider.value,
        to_number=to and to.e164,
        to_hash=to and lookups(to.e164)[0],
        first_number=first and first.e164,
        first_hash=first and lookups(first.e164)[0],
        has_first=first is not None,
        caller_id=shown and shown.e164,
        region=to and to.region,
        price_prefix=price.prefix,
        price_eur=price.eur,
        first_price_eur=price_of(first.e164, prices).eur if first else 0,
        ring_timeout_s=payload["timeout_s"],
        max_duration_s=payload["max_duration_s"],
        is_recorded=payload["record"],
    )


def _ended_state(said: Any) -> CallState:
    """What a person says a call came to, where that is a state in which one ends."""
    is_one = isinstance(said, str) and said in ENDED
    return CallState(said) if is_one else CallState.COMPLETED


def _locked_of(session: Session, job_id: UUID) -> Call | None:
    """The call of a job that the caller locked."""
    call_id = session.scalar(select(Call.id).where(Call.job_id == job_id))
    return settling.locked(session, [call_id]).get(call_id) if call_id else None


def _reset(session: Session, call: Call) -> None:
    """What was heard of it is another call's, as somebody found out, or that of none."""
    session.execute(delete(CallEvent).where(CallEvent.call_id == call.id))
    call.state, call.is_uncertain = CallState.QUEUED, False
    for name in (
        "cause", "refusal", "asked_at", "dial_after", "intended_at", "taken_at", "provider_ref",
        "ringing_at", "answered_at", "ended_at", "seen_at", "hangup_asked_at", "hangup_sent_at",
        "bridge_intended_at",
    ):  # fmt: skip
        setattr(call, name, None)
