"""What becomes of a call's row, and how its job hears of the end.

Whoever changes calls holds their jobs' rows first, and then theirs, both in the order of ids.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, defer

from stellwerk.calls import causes
from stellwerk.calls.course import Course, course
from stellwerk.calls.model import Call
from stellwerk.calls.pricing import SECONDS, billed_s, cost_of
from stellwerk.calls.states import ENDED, CallState
from stellwerk.configuration.calling import INCREMENTS
from stellwerk.errors import ErrorCode
from stellwerk.jobs.model import Job, JobSignal
from stellwerk.jobs.remains import JobCost
from stellwerk.jobs.remarks import remark
from stellwerk.jobs.runtime import Runtime, Unit
from stellwerk.jobs.states import LIVE, JobStatus
from stellwerk.jobs.waking import wake
from stellwerk.providers.calls.protocol import CallEvent, EventKind, Leg

SIGNAL = "call.ended"  # to the job
CHANNEL = "stellwerk_calls"  # on which the telephony process listens
STEP = "dial"  # the job's effect

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0

NUMBERLESS = tuple(map(defer, (Call.to_number, Call.first_number, Call.caller_id)))

_NOTIFY = text("SELECT pg_notify(:channel, '')")


def locked(session: Session, call_ids: Collection[UUID]) -> dict[UUID, Call]:
    """Calls by id, locked with their jobs; their numbers are not read."""
    wanted = sorted(call_ids)
    jobs = select(Call.job_id).where(Call.id.in_(wanted), Call.job_id.is_not(None))
    held = session.scalars(jobs).all()
    session.scalars(
        select(Job)
        .where(Job.id.in_(held))
        .order_by(Job.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    found = session.scalars(
        select(Call)
        .options(*NUMBERLESS)
        .where(Call.id.in_(wanted))
        .order_by(Call.id)
        .with_for_update(of=Call, key_share=True)
        .execution_options(populate_existing=True)
    )
    return {call.id: call for call in found}


def now_of(session: Session) -> datetime:
    """The ledger's clock."""
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now


def notify(session: Session) -> None:
    """Let the telephony process look, once this is committed."""
    session.execute(_NOTIFY, {"channel": CHANNEL})


def follow(runtime: Runtime, work: Unit, call: Call, events: Sequence[CallEvent]) -> None:
    """Take over what all of a call's events say; nothing leads back."""
    heard = [event for event in events if event.kind is not EventKind.REFUSED]
    if not heard:
        if call.state == CallState.DIALING:
            not_dialled(runtime, work, call, cause=events[-1].cause)
        return
    has_first = call.has_first or any(event.leg is Leg.FIRST for event in heard)
    present = course(heard, has_first=has_first)
    is_settled = call.state in ENDED and not call.is_uncertain and not call.refusal
    if is_settled and not present.is_over:
        return
    if present.is_over and _is_unheard(call, heard):
        return  # until more is known (bridging.py)
    _take_over(call, present)
    if call.job_id and not present.is_over:
        remark(work, call.job_id, present.state.value)
    if present.is_over:
        _charge(runtime, work.session, call, present)
        if not is_settled:
            tell_job(work, call)


def not_dialled(
    runtime: Runtime,
    work: Unit,
    call: Call,
    *,
    cause: str | None,
    after_s: float | None = None,
    is_final: bool = False,
) -> None:
    """It certainly was not: later once more, where that may help, and is not too late."""
    now = now_of(work.session)
    if call.hangup_asked_at:
        end(work, call, CallState.CANCELLED, causes.ORIGINATOR_CANCEL)
        return
    pause_s = after_s or min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (call.dials - 1))
    again_at = now + timedelta(seconds=pause_s)
    may_help = not is_final and (after_s is not None or cause in causes.WORTH_REPEATING)
    if (
        may_help
        and call.dials < runtime.settings.call_dial_tries
        and again_at < _latest(runtime, call, now)
    ):
        call.state, call.dial_after = CallState.QUEUED, again_at
        call.taken_at = call.provider_ref = None
        return
    refused = ErrorCode.PROVIDER_UNAVAILABLE if may_help else ErrorCode.PROVIDER_REJECTED
    end(work, call, CallState.FAILED, cause, refusal=refused)


def end(
    work: Unit,
    call: Call,
    state: CallState,
    cause: str | None,
    *,
    refusal: ErrorCode | None = None,
    is_uncertain: bool = False,
) -> None:
    """End a call of which no events tell, and let its job hear of it."""
    call.state, call.cause = state, cause
    call.refusal, call.is_uncertain = refusal, is_uncertain
    call.ended_at = now_of(work.session)
    _forget_erased(call)
    tell_job(work, call)


def tell_job(work: Unit, call: Call) -> None:
    """The call's job goes on, or sets nothing aside any more; the caller holds its row."""
    job = work.session.get(Job, call.job_id) if call.job_id else None
    if job is None:
        return
    if JobStatus(job.status) not in LIVE:
        job.reserved_cost = Decimal()
        return
    job.is_simulated = call.is_simulated
    work.session.add(JobSignal(job_id=job.id, name=SIGNAL))
    if job.status == JobStatus.WAITING and job.wait_signal == SIGNAL:
        wake(work, job.id)


def _is_unheard(call: Call, heard: Sequence[CallEvent]) -> bool:
    """Whether nobody knows what became of the order to dial `to`."""
    return call.bridge_intended_at is not None and all(one.leg is Leg.FIRST for one in heard)


def _latest(runtime: Runtime, call: Call, now: datetime) -> datetime:
    return (call.asked_at or now) + timedelta(seconds=runtime.settings.call_dial_within_s)


def _take_over(call: Call, present: Course) -> None:
    call.state, call.cause = present.state, present.cause
    call.is_uncertain, call.refusal = False, None
    call.ringing_at, call.answered_at = present.ringing_at, present.answered_at
    call.ended_at = present.ended_at
    if present.is_over:
        call.duration_s, call.billable_s = present.duration_s, present.billable_s
        _forget_erased(call)


def _forget_erased(call: Call) -> None:
    """What was needed until the end of a call whose user had it erased (privacy.py)."""
    if call.user_id is None:
        call.to_number = call.first_number = call.caller_id = None
        if not (call.is_uncertain or call.cause == causes.LOST):  # it may have to be hung up
            call.provider_ref = None


def _charge(runtime: Runtime, session: Session, call: Call, present: Course) -> None:
    """A cost line for each leg, none of a simulator's; what is heard later mends them."""
    if call.is_simulated:
        call.cost_eur = Decimal()
        return
    increments = runtime.configuration[INCREMENTS]
    legs = ((present.billable_s, call.price_eur), (present.first_billable_s, call.first_price_eur))
    total = Decimal()
    for sequence, (billable_s, minute_eur) in enumerate(legs, start=1):
        seconds = billed_s(billable_s, increments)
        total += cost_of(seconds, minute_eur)
        if seconds and call.job_id:
            _write_line(session, call, sequence, seconds, minute_eur)
    call.cost_eur = total


def _write_line(
    session: Session, call: Call, sequence: int, seconds: int, minute_eur: Decimal
) -> None:
    amount = cost_of(seconds, minute_eur)
    line = insert(JobCost).values(
        job_id=call.job_id,
        attempt=call.dials,
        sequence=sequence,
        owner_id=call.user_id,
        step=STEP,
        provider=call.provider,
        unit="second",
        quantity=seconds,
        unit_price=minute_eur / SECONDS,
        amount=amount,
    )
    session.execute(
        line.on_conflict_do_update(
            index_elements=["job_id", "attempt", "sequence"],
            set_={"quantity": line.excluded.quantity, "amount": line.excluded.amount},
        )
    )
