"""What a call comes to whose end nobody heard."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, exists

from stellwerk.calls import causes, settling, timelines
from stellwerk.calls.model import Call
from stellwerk.calls.model import CallEvent as Heard
from stellwerk.calls.states import CallState
from stellwerk.jobs.runtime import Runtime, Unit
from stellwerk.providers.calls.protocol import CallEvent, EventKind, Leg

KEYS = {leg: f"lost:{leg}" for leg in Leg}  # of the ends that are put down here
_TELLING = frozenset({EventKind.ANSWERED, EventKind.HUNG_UP})


def end(runtime: Runtime, work: Unit, call: Call) -> None:
    """End a call under way, which is locked, with its job.

    What was answered, or ended for whom it was for, has ended unheard. Of any other nobody can
    tell whether somebody was reached: its job fails with EFFECT_UNCERTAIN. What is heard after
    all is believed.
    """
    timeline = timelines.read(work.session, {call.id}).get(call.id, [])
    if not any(one.leg is Leg.TO and one.kind in _TELLING for one in timeline):
        cause = causes.LOST if timeline else causes.UNKNOWN
        settling.end(work, call, CallState.FAILED, cause, is_uncertain=True)
        return
    at = _last_seen(call, timeline)
    lost = [_lost(call.id, leg, at) for leg in _open_legs(call, timeline)]
    timelines.store(work.session, lost)
    settling.follow(runtime, work, call, [*timeline, *lost])


def _open_legs(call: Call, timeline: Sequence[CallEvent]) -> list[Leg]:
    """A first leg too of which nothing was heard: without its end the call had none."""
    begun = {event.leg for event in timeline if event.kind is not EventKind.REFUSED}
    if call.has_first:
        begun.add(Leg.FIRST)
    over = {event.leg for event in timeline if event.kind is EventKind.HUNG_UP}
    return sorted(begun - over)


def is_put_down() -> ColumnElement[bool]:
    """Whether the end of a call, or of one of its legs, is one that was put down here."""
    return exists().where(Heard.call_id == Call.id, Heard.key.in_(KEYS.values()))


def _last_seen(call: Call, timeline: Sequence[CallEvent]) -> datetime:
    """When a call that nobody heard end is taken to have ended: it is not paid for any longer.

    Its trunk's clock may be another, so that is within its length after the answer.
    """
    heard_at = max(event.at for event in timeline)
    seen_at = max(heard_at, call.seen_at or heard_at)
    if call.answered_at is None:
        return seen_at
    return min(seen_at, call.answered_at + timedelta(seconds=call.max_duration_s))


def _lost(call_id: UUID, leg: Leg, at: datetime) -> CallEvent:
    return CallEvent(call_id, leg, EventKind.HUNG_UP, at, KEYS[leg], cause=causes.LOST)
