"""What the switch tells of its channels, in the terms of those who dial.

A leg goes through each of its stages once, so a stage's name is its key: told again, by an event
or by a look at the living channel, it is the same. Only that a call was refused may be told of
one call several times, since it is then dialled anew.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from stellwerk.providers.calls.freeswitch.dial_strings import job_of, second_leg
from stellwerk.providers.calls.freeswitch.framing import Event
from stellwerk.providers.calls.protocol import CallEvent, EventKind, Leg

KINDS: Mapping[str, EventKind] = {
    "CHANNEL_CREATE": EventKind.CREATED,
    "CHANNEL_PROGRESS": EventKind.RINGING,
    "CHANNEL_PROGRESS_MEDIA": EventKind.EARLY_MEDIA,
    "CHANNEL_ANSWER": EventKind.ANSWERED,
    "CHANNEL_BRIDGE": EventKind.BRIDGED,
    "CHANNEL_HANGUP_COMPLETE": EventKind.HUNG_UP,
    "RECORD_STOP": EventKind.RECORDED,
}
SUBSCRIBED = (*KINDS, "BACKGROUND_JOB", "HEARTBEAT", "SHUTDOWN")

# Causes of jobs that were recorded of calls without any channel. That no event of a channel came is
# not enough of a proof: the switch drops those that a slow listener does not take.
WITHOUT_CHANNEL = frozenset(
    {
        "CHAN_NOT_IMPLEMENTED",
        "DESTINATION_OUT_OF_ORDER",  # of what comes too fast, and of an id in use
        "GATEWAY_DOWN",
        "INVALID_GATEWAY",
    }
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CAUSE = re.compile(r"[A-Z][A-Z0-9_]{1,59}")
_ORIGINATED = re.compile(r"origination_uuid=([0-9a-f-]{36})")
# Of a living channel: when it reached which stage, in microseconds, 0 for not yet.
_STAGES = {
    "Caller-Channel-Created-Time": EventKind.CREATED,
    "Caller-Channel-Progress-Time": EventKind.RINGING,
    "Caller-Channel-Progress-Media-Time": EventKind.EARLY_MEDIA,
    "Caller-Channel-Answered-Time": EventKind.ANSWERED,
    "Caller-Channel-Bridged-Time": EventKind.BRIDGED,
}


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of the switch that is a leg of one of our calls."""

    call_id: UUID
    leg: Leg


@dataclass(frozen=True, slots=True)
class JobResult:
    """How the switch's job of a call came out."""

    call_id: UUID
    leg: Leg  # that was to be dialled
    channel: UUID | None  # the one that was made, where one was
    cause: str  # why none was; empty where one was
    at: datetime
    number: str  # of the event at the switch


def channel_of(headers: Mapping[str, str]) -> Channel | None:
    """Whose leg a channel is by the variables that it was dialled with; None: nobody's here.

    A channel that took over another's variables, as a loopback's far end, is not that other.
    """
    call_id = _uuid(headers.get("variable_stellwerk_call", ""))
    unique_id = unique_id_of(headers)
    if call_id is None or unique_id is None:
        return None
    if unique_id == second_leg(call_id):
        return Channel(call_id, Leg.TO)
    if unique_id != call_id:
        return None
    is_first = headers.get("variable_stellwerk_leg") == Leg.FIRST
    return Channel(call_id, Leg.FIRST if is_first else Leg.TO)


def unique_id_of(headers: Mapping[str, str]) -> UUID | None:
    """The channel that an event is about; None where there is none."""
    return _uuid(headers.get("Unique-ID", ""))


def call_event(event: Event, channel: Channel) -> CallEvent:
    """What an event, one of `KINDS`, means for the leg that it is about."""
    kind = KINDS[event.name]
    cause = billable_s = None
    if kind is EventKind.HUNG_UP:
        cause = cause_of(event.headers.get("Hangup-Cause", ""))
        billable_s = _count(event.headers.get("variable_billsec", ""))
    at = moment(event.headers.get("Event-Date-Timestamp", ""))
    key = f"{channel.leg}:{kind}"
    return CallEvent(channel.call_id, channel.leg, kind, at, key, cause, billable_s)


def stages(dump: Mapping[str, str], channel: Channel) -> Iterator[CallEvent]:
    """What a living channel has been through, by its dump; the keys are those of its events."""
    for name, kind in _STAGES.items():
        if _count(dump.get(name, "")):
            key = f"{channel.leg}:{kind}"
            yield CallEvent(channel.call_id, channel.leg, kind, moment(dump[name]), key)


def job_id(event: Event) -> UUID | None:
    """Under which name the switch worked on what a BACKGROUND_JOB is the result of."""
    return _uuid(event.headers.get("Job-UUID", ""))


def job_result(event: Event, call_id: UUID | None) -> JobResult | None:
    """The result in a BACKGROUND_JOB of one of our calls; None where it is of another job.

    `call_id`: the call that goes under the job's name, where it is known; another process may
    have dialled it, and then the command tells.
    """
    command = event.headers.get("Job-Command-Arg", "")
    call_id = call_id or _call_of(command)
    if call_id is None or job_id(event) != job_of(call_id):
        return None
    sign, _, rest = event.body.strip().partition(" ")
    is_good = sign == "+OK"
    return JobResult(
        call_id,
        Leg.FIRST if f"stellwerk_leg={Leg.FIRST}" in command else Leg.TO,
        _uuid(rest) if is_good else None,
        "" if is_good else cause_of(rest),
        moment(event.headers.get("Event-Date-Timestamp", "")),
        ":".join(event.headers.get(name, "") for name in ("Core-UUID", "Event-Sequence")),
    )


def _call_of(command: str) -> UUID | None:
    named = _ORIGINATED.search(command)
    return _uuid(named[1]) if named else None


def end_by_job(result: JobResult, kind: EventKind) -> CallEvent:
    """The end of a call whose job failed: REFUSED where nothing was dialled, else HUNG_UP."""
    key = f"{result.leg}:{kind}"
    if kind is EventKind.REFUSED:
        key = f"{key}:{result.number}"[:100]
    return CallEvent(result.call_id, result.leg, kind, result.at, key, result.cause, 0)


def cause_of(said: str) -> str:
    """A cause as the switch names it; what is no name of one is a protocol error."""
    return said if _CAUSE.fullmatch(said) else "PROTOCOL_ERROR"


def moment(microseconds: str) -> datetime:
    """Of the switch's clock; now, where it does not say."""
    count = _count(microseconds)
    return _EPOCH + timedelta(microseconds=count) if count else datetime.now(UTC)


def _count(said: str) -> int | None:
    return int(said) if said.isascii() and said.isdigit() else None


def _uuid(said: str) -> UUID | None:
    try:
        return UUID(said.strip())
    except ValueError:
        return None
