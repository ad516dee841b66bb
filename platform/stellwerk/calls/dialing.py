"""All that the telephony process does to the ledger.

A call is dialled where its intent is stored, and as long as that is not settled nobody can store
another: so it is dialled at most once, whoever dials.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    CTE,
    Integer,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from stellwerk.calls import breaker, bridging, causes, settling, timelines, unheard
from stellwerk.calls.dials import DIALLED, dials_of, fenced
from stellwerk.calls.model import Call
from stellwerk.calls.states import ENDED, UNDER_WAY, CallState
from stellwerk.jobs.runtime import Runtime, unit
from stellwerk.providers.calls.protocol import CallEvent, Dial

HANG_UP_AGAIN_S = 5.0  # where the call has not ended by then
HANG_UP_WITHIN = timedelta(days=1)  # of what may have been left up
CLOCKS_APART = timedelta(minutes=5)  # ours and a provider's, at most
_CLOCK = func.clock_timestamp()
_TAKEN = text("""
    WITH took AS (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS int[]), CAST(:refs AS text[]))
            AS took (id, attempt, ref)),
    held AS (SELECT id FROM calls WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE)
    UPDATE calls SET taken_at = clock_timestamp(), provider_ref = took.ref
    FROM took JOIN held ON held.id = took.id
    WHERE calls.id = took.id AND calls.dials = took.attempt
""")


@dataclass(frozen=True, slots=True)
class Taken:
    """An order that a provider took, and the provider's own name of the call."""

    call_id: UUID
    attempt: int
    ref: str | None


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A call that was to be dialled and of whose end nobody has heard."""

    dial: Dial
    ref: str | None
    state: CallState
    intended_at: datetime
    is_taken: bool


@dataclass(frozen=True, slots=True)
class HangUp:
    """A call that somebody wants to end, or that connects nobody (bridging.py).

    `has_ended`: as far as the ledger knows.
    """

    call_id: UUID
    ref: str | None
    has_ended: bool = False


def claim(runtime: Runtime, trunk: str, fence: int, limit: int) -> list[Dial]:
    """Store the intent to dial calls that are due, and return them: they are dialled now or never.

    One whose number can not be read fails. None where the trunk's fence is not this one any more,
    or the trunk is spared (breaker.py).
    """
    within = timedelta(seconds=runtime.settings.call_dial_within_s)
    held = fenced(trunk, fence)
    due = _due(trunk, held, within)
    intended = (
        update(Call)
        .where(Call.id.in_(select(due.c.id)))
        .values(
            state=CallState.DIALING.value,
            intended_at=_CLOCK,
            dials=Call.dials + 1,
            is_simulated=select(held.c.is_simulated).scalar_subquery(),
        )
        .returning(*DIALLED)
        .execution_options(synchronize_session=False)
    )
    with runtime.sessions.begin() as session:
        most = breaker.room(session, runtime, trunk, limit)
        rows = session.execute(intended, {"most": most}).all() if most else []
        rows = sorted(rows, key=lambda row: row.asked_at)
        dials = dials_of(runtime, session, rows)
    for unreadable in (dial for dial in dials if not dial.to):
        refused(runtime, unreadable, cause=causes.NUMBER_UNREADABLE)
    return [dial for dial in dials if dial.to]


def _due(trunk: str, held: CTE, within: timedelta) -> CTE:
    """At most `most` calls of a trunk that is held, locked, those asked for first."""
    return (
        select(Call.id)
        .where(
            Call.provider == trunk,
            Call.state == CallState.QUEUED.value,
            Call.asked_at > _CLOCK - within,
            or_(Call.dial_after.is_(None), Call.dial_after <= _CLOCK),
            Call.hangup_asked_at.is_(None),
            exists(select(held.c.name)),
        )
        .order_by(Call.asked_at)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("due")
    )


def taken(runtime: Runtime, orders: Sequence[Taken]) -> None:
    """The provider took these orders, by these names of its own."""
    values = {
        "ids": [order.call_id for order in orders],
        "attempts": [order.attempt for order in orders],
        "refs": [order.ref for order in orders],
    }
    with runtime.sessions.begin() as session:
        session.execute(_TAKEN, values)


def put_off(runtime: Runtime, dial: Dial, *, cause: str | None, after_s: float) -> None:
    """It was certainly not dialled (ProviderDeferred): it is queued again, or given up."""
    _not_dialled(runtime, dial, cause, after_s)


def not_bridged(runtime: Runtime, dial: Dial) -> None:
    """`to` was certainly not dialled (bridging.py): it is due again, or its call is over."""
    with unit(runtime) as work:
        call = settling.locked(work.session, [dial.call_id]).get(dial.call_id)
        if call is None or call.dials != dial.attempt:
            return
        call.bridge_intended_at = None
        timeline = timelines.read(work.session, {call.id}).get(call.id, [])
        if timeline and call.state in UNDER_WAY:
            settling.follow(runtime, work, call, timeline)


def refused(runtime: Runtime, dial: Dial, *, cause: str | None) -> None:
    """It was certainly not dialled, and never will be (ProviderRejected): the call fails."""
    _not_dialled(runtime, dial, cause, None)


def record(runtime: Runtime, trunk: str, events: Sequence[CallEvent]) -> None:
    """Store what happened, and what follows from it; the same event once, in any order."""
    with unit(runtime) as work:
        calls = settling.locked(work.session, {event.call_id for event in events})
        known = [one for one in events if one.call_id in calls]
        ours = [one for one in known if calls[one.call_id].provider == trunk]
        _name(calls, ours)
        fresh = timelines.store(work.session, ours)
        by_call = timelines.read(work.session, fresh)
        for call_id in sorted(fresh):
            settling.follow(runtime, work, calls[call_id], by_call[call_id])
        breaker.heard(work.session, runtime, trunk, [by_call[one] for one in sorted(fresh)])


def seen(runtime: Runtime, call_ids: Sequence[UUID], at: datetime) -> None:
    """The provider said of these that they went on then."""
    with runtime.sessions.begin() as session:
        held = _held(session, call_ids)
        session.execute(
            update(Call)
            .where(Call.id.in_(held), Call.state.in_([state.value for state in UNDER_WAY]))
            .values(seen_at=func.greatest(Call.seen_at, at))
        )


def uncertain(runtime: Runtime, trunk: str, call_id: UUID) -> None:
    """The provider knows nothing (any more) of a call that was to be dialled; see unheard.py."""
    with unit(runtime) as work:
        call = settling.locked(work.session, [call_id]).get(call_id)
        if call is not None and call.provider == trunk and call.state in UNDER_WAY:
            unheard.end(runtime, work, call)


def under_way(runtime: Runtime, trunk: str) -> list[UnderWay]:
    """Every call of the trunk with an intent that is not settled, oldest first."""
    query = select(*DIALLED, Call.provider_ref, Call.state, Call.intended_at, Call.taken_at).where(
        Call.provider == trunk, Call.state.in_([state.value for state in UNDER_WAY])
    )
    with runtime.sessions() as session:
        rows = session.execute(query.order_by(Call.id)).all()
        dials = dials_of(runtime, session, rows)
    return [
        UnderWay(
            dial=dial,
            ref=row.provider_ref,
            state=CallState(row.state),
            intended_at=row.intended_at,
            is_taken=row.taken_at is not None,
        )
        for row, dial in zip(rows, dials, strict=True)
    ]


def names_of_ended(runtime: Runtime, trunk: str, since: datetime) -> set[str]:
    """The provider's names of calls that may have been under way then, and have ended."""
    query = select(Call.provider_ref).where(
        Call.ended_at > since - CLOCKS_APART,
        Call.provider == trunk,
        Call.provider_ref.is_not(None),
    )
    with runtime.sessions() as session:
        return {ref for ref in session.scalars(query) if ref}


def to_hang_up(runtime: Runtime, trunk: str) -> list[HangUp]:
    """Calls under way that are to end, and of which that was not said lately.

    So those of a day whose end nobody heard, where it was never said: they may still go on.
    """
    lately = _CLOCK - timedelta(seconds=HANG_UP_AGAIN_S)
    going_on = select(Call.id, Call.provider_ref, literal(False)).where(  # noqa: FBT003  SQL's
        Call.provider == trunk,
        Call.state.in_([state.value for state in UNDER_WAY]),
        or_(Call.hangup_asked_at.is_not(None), bridging.is_in_vain()),
        or_(Call.hangup_sent_at.is_(None), Call.hangup_sent_at < lately),
    )
    left_up = select(Call.id, Call.provider_ref, literal(True)).where(  # noqa: FBT003  SQL's
        Call.provider == trunk,
        Call.state.in_([state.value for state in ENDED]),
        Call.hangup_asked_at > _CLOCK - HANG_UP_WITHIN,
        Call.hangup_sent_at.is_(None),
        or_(Call.is_uncertain, unheard.is_put_down()),
    )
    with runtime.sessions() as session:
        return [HangUp(*row) for row in session.execute(going_on.union_all(left_up))]


def hang_up_sent(runtime: Runtime, call_ids: Sequence[UUID]) -> None:
    """The provider was told to end these."""
    with runtime.sessions.begin() as session:
        held = _held(session, call_ids)
        session.execute(update(Call).where(Call.id.in_(held)).values(hangup_sent_at=_CLOCK))


def _held(session: Session, call_ids: Sequence[UUID]) -> Sequence[UUID]:
    """Those that there are, locked in the order in which everybody does."""
    wanted = select(Call.id).where(Call.id.in_(call_ids)).order_by(Call.id)
    return session.scalars(wanted.with_for_update(key_share=True)).all()


def _name(calls: Mapping[UUID, Call], events: Sequence[CallEvent]) -> None:
    """Keep the provider's own name of a call whose order nobody heard taken."""
    for event in events:
        call = calls[event.call_id]
        is_open = call.state in UNDER_WAY or call.is_uncertain
        if event.ref and call.provider_ref is None and is_open:
            call.provider_ref = event.ref


def _not_dialled(runtime: Runtime, dial: Dial, cause: str | None, after_s: float | None) -> None:
    with unit(runtime) as work:
        call = settling.locked(work.session, [dial.call_id]).get(dial.call_id)
        if call is None or call.state != CallState.DIALING or call.dials != dial.attempt:
            return
        is_final = after_s is None
        settling.not_dialled(runtime, work, call, cause=cause, after_s=after_s, is_final=is_final)
