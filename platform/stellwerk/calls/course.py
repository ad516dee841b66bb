"""What events say about a call: the same whatever order they came in, and however often.

Of a call with a first leg only the one that is called rings and answers; it is over when the first
leg is, and whatever the other one is known to be.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from stellwerk.calls import causes
from stellwerk.calls.states import ENDED, CallState
from stellwerk.providers.calls.protocol import CallEvent, EventKind, Leg

_RINGS = frozenset({EventKind.RINGING, EventKind.EARLY_MEDIA})


@dataclass(frozen=True, slots=True)
class LegCourse:
    """What became of one end of a call."""

    ringing_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    cause: str | None
    billable_s: int

    @property
    def duration_s(self) -> int:
        """From answer to end, to the nearest second."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return max(0, round((self.ended_at - self.answered_at).total_seconds()))


@dataclass(frozen=True, slots=True)
class Course:
    """Where a call is, and since when; `ended_at` and `cause` of one that has ended."""

    state: CallState
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    cause: str | None = None
    duration_s: int = 0  # of the talk, from answer to end
    billable_s: int = 0
    first_billable_s: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self.state in ENDED


def course(events: Iterable[CallEvent], *, has_first: bool) -> Course:
    """What has become of a call, by what is known; the events are of a call that was dialled."""
    by_leg: dict[Leg, list[CallEvent]] = {}
    for event in sorted(events, key=lambda one: (one.at, one.key)):
        by_leg.setdefault(event.leg, []).append(event)
    legs = {leg: _leg(of_it) for leg, of_it in by_leg.items()}
    to = legs.get(Leg.TO)
    if _is_over(legs, has_first=has_first):
        return _ended(legs)
    if to is None:
        return Course(CallState.DIALING)
    state = CallState.RINGING if to.ringing_at else CallState.DIALING
    if to.answered_at:
        state = CallState.ANSWERED
    return Course(state, to.ringing_at, to.answered_at)


def _leg(events: list[CallEvent]) -> LegCourse:
    end = _end(events)
    answered_at = _first(events, frozenset({EventKind.ANSWERED}))
    told_s = end.billable_s if end else None
    if end and answered_at is None and told_s:
        answered_at = end.at - timedelta(seconds=told_s)
    if told_s is None:
        lasted = end.at - answered_at if end and answered_at else timedelta()
        told_s = max(0, ceil(lasted.total_seconds()))
    if end and answered_at:
        told_s = max(1, told_s)  # a switch tells 0 where both fall into the same second
    return LegCourse(
        ringing_at=_first(events, _RINGS),
        answered_at=answered_at,
        ended_at=end.at if end else None,
        cause=end.cause if end else None,
        billable_s=told_s,
    )


def _end(events: list[CallEvent]) -> CallEvent | None:
    """The first that was heard, or else the one that was put down since none was."""
    ends = [one for one in events if one.kind in {EventKind.HUNG_UP, EventKind.REFUSED}]
    heard = (one for one in ends if one.cause != causes.LOST)
    return next(heard, ends[0] if ends else None)


def _first(events: list[CallEvent], kinds: frozenset[EventKind]) -> datetime | None:
    return next((event.at for event in events if event.kind in kinds), None)


def _is_over(legs: Mapping[Leg, LegCourse], *, has_first: bool) -> bool:
    needed = Leg.FIRST if has_first else Leg.TO
    return needed in legs and all(leg.ended_at for leg in legs.values())


def _ended(legs: Mapping[Leg, LegCourse]) -> Course:
    first, to = legs.get(Leg.FIRST), legs.get(Leg.TO)
    decides = to or first
    if decides is None:  # a call that is over has a leg
        raise ValueError("A call without events has not ended.")
    is_answered = to is not None and to.answered_at is not None
    state = CallState.COMPLETED if is_answered else causes.of_unanswered(decides.cause)
    return Course(
        state=state,
        ringing_at=to.ringing_at if to else None,
        answered_at=to.answered_at if to else None,
        ended_at=max(leg.ended_at for leg in legs.values() if leg.ended_at),
        cause=decides.cause,
        duration_s=to.duration_s if to else 0,
        billable_s=to.billable_s if to else 0,
        first_billable_s=first.billable_s if first else 0,
    )
