"""What Twilio's statuses of a call stand for.

See https://www.twilio.com/docs/voice/api/call-resource#call-status-values.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from stellwerk.providers.calls.protocol import CallEvent, EventKind, Leg
from stellwerk.providers.calls.sip_causes import cause_of

ANSWERED, COMPLETED, FAILED = "in-progress", "completed", "failed"

KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        "initiated": EventKind.CREATED,
        "ringing": EventKind.RINGING,
        ANSWERED: EventKind.ANSWERED,
    }
)
ENDS: Mapping[str, str] = MappingProxyType(
    {
        COMPLETED: "NORMAL_CLEARING",
        "busy": "USER_BUSY",
        "no-answer": "NO_ANSWER",
        "canceled": "ORIGINATOR_CANCEL",
        # Unless SIP's answer says why: numbers that do not exist end so, too.
        FAILED: "NORMAL_UNSPECIFIED",
    }
)


@dataclass(frozen=True, slots=True)
class Told:
    """One leg at one time. `ref` names the call, `sid` the leg of it."""

    call_id: UUID
    leg: Leg
    ref: str
    sid: str
    status: str
    at: datetime
    duration_s: int | None = None  # of one that has ended, from its answer on
    sip_status: str | None = None


def events_of(told: Told) -> Iterator[CallEvent]:
    """What a leg has come to; of one that ended after an answer, that too."""
    if told.status in KINDS:
        yield _event(told, told.status, KINDS[told.status], told.at)
    elif told.status in ENDS:
        if told.status == COMPLETED and told.duration_s:
            answered_at = told.at - timedelta(seconds=told.duration_s)
            yield _event(told, ANSWERED, EventKind.ANSWERED, answered_at)
        yield _ended(told)


def seconds_of(text: object) -> int | None:
    """A duration as Twilio writes it."""
    found = str(text or "")
    return int(found) if found.isascii() and found.isdecimal() else None


def now() -> datetime:
    """Where Twilio does not say when."""
    return datetime.now(UTC)


def _ended(told: Told) -> CallEvent:
    cause = ENDS[told.status]
    if told.status == FAILED:
        cause = cause_of(told.sip_status) or cause
    return CallEvent(
        told.call_id,
        told.leg,
        EventKind.HUNG_UP,
        told.at,
        key=f"{told.sid}:{told.status}",
        cause=cause,
        billable_s=told.duration_s,
        ref=told.ref,
    )


def _event(told: Told, status: str, kind: EventKind, at: datetime) -> CallEvent:
    key = f"{told.sid}:{status}"
    return CallEvent(told.call_id, told.leg, kind, at, key=key, ref=told.ref)
