"""Dials `to` where that is an order of its own, given once `from` has answered.

As of the first order, its intent is stored before anything is sent, and nobody can store another:
so it is given at most once. What is heard of `to` settles it. Where nothing is, `from` is hung up,
and nobody can tell whether somebody was reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, and_, exists, func, or_, select, update

from stellwerk.calls.dials import DIALLED, dials_of, fenced
from stellwerk.calls.model import Call
from stellwerk.calls.model import CallEvent as Heard
from stellwerk.calls.states import CallState
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.calls.protocol import CallEvent, Dial, EventKind, Leg

REFUSED_CAUSE = "CALL_REJECTED"
UNHEARD_S = 60.0  # after the intent, with nothing heard of `to`: who answered waits for nobody
_REFUSED_KEY = "bridge:refused"
_CLOCK = func.clock_timestamp()


@dataclass(frozen=True, slots=True)
class Bridge:
    """A call whose `from` waits for `to` to be dialled, by the provider's name of it."""

    dial: Dial
    ref: str


def claim(runtime: Runtime, trunk: str, fence: int, limit: int) -> list[Bridge]:
    """Store the intent to dial `to` of calls that are due: it is dialled now or never.

    Its number is empty where it can not be read. None where the fence is not this one any more.
    """
    due = _due(trunk, fenced(trunk, fence), limit)
    intended = (
        update(Call)
        .where(Call.id.in_(select(due.c.id)))
        .values(bridge_intended_at=_CLOCK)
        .returning(*DIALLED, Call.provider_ref)
        .execution_options(synchronize_session=False)
    )
    with runtime.sessions.begin() as session:
        rows = session.execute(intended).all()
        dials = dials_of(runtime, session, rows)
    return [Bridge(dial, row.provider_ref) for row, dial in zip(rows, dials, strict=True)]


def _due(trunk: str, held: CTE, limit: int) -> CTE:
    """Calls of a trunk that is held, locked, whose `from` waits and whose `to` nobody dialled."""
    return (
        select(Call.id)
        .where(
            Call.provider == trunk,
            Call.state == CallState.DIALING.value,
            Call.has_first,
            Call.bridge_intended_at.is_(None),
            Call.provider_ref.is_not(None),
            Call.hangup_asked_at.is_(None),
            _heard(Leg.FIRST, EventKind.ANSWERED),
            ~_heard(Leg.FIRST, EventKind.HUNG_UP),
            ~_heard(Leg.TO),
            exists(select(held.c.name)),
        )
        .order_by(Call.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )


def refusal(bridge: Bridge) -> CallEvent:
    """It was certainly not dialled, and never will be: the call connects nobody."""
    return CallEvent(
        bridge.dial.call_id,
        Leg.TO,
        EventKind.HUNG_UP,
        datetime.now(UTC),
        key=_REFUSED_KEY,
        cause=REFUSED_CAUSE,
    )


def unheard(runtime: Runtime, trunk: str) -> Sequence[UUID]:
    """Calls whose `from` is gone, and of whose `to` nothing was heard for so long."""
    query = select(Call.id).where(
        Call.provider == trunk,
        Call.state == CallState.DIALING.value,
        Call.bridge_intended_at < _CLOCK - timedelta(seconds=UNHEARD_S),
        _heard(Leg.FIRST, EventKind.HUNG_UP),
        ~_heard(Leg.TO),
    )
    with runtime.sessions() as session:
        return session.scalars(query).all()


def is_in_vain() -> ColumnElement[bool]:
    """Of a call under way: its `to` is over or was never heard of, so `from` waits for nobody."""
    unheard = and_(Call.bridge_intended_at < _CLOCK - timedelta(seconds=UNHEARD_S), ~_heard(Leg.TO))
    is_over = _heard(Leg.TO, EventKind.HUNG_UP)
    return and_(Call.bridge_intended_at.is_not(None), or_(is_over, unheard))


def _heard(leg: Leg, kind: EventKind | None = None) -> ColumnElement[bool]:
    of_it = select(Heard.id).where(Heard.call_id == Call.id, Heard.leg == leg.value)
    return exists(of_it if kind is None else of_it.where(Heard.kind == kind.value))
