"""What Telnyx's events and causes stand for.

See https://developers.telnyx.com/docs/voice/programmable-voice/receiving-webhooks.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from stellwerk.providers.calls.protocol import CallEvent, EventKind, Leg
from stellwerk.providers.calls.sip_causes import cause_of

INITIATED, ANSWERED, HANGUP = "call.initiated", "call.answered", "call.hangup"

KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        INITIATED: EventKind.CREATED,
        ANSWERED: EventKind.ANSWERED,
        "call.bridged": EventKind.BRIDGED,
        HANGUP: EventKind.HUNG_UP,
    }
)
CAUSES: Mapping[str, str] = MappingProxyType(
    {
        "call_rejected": "CALL_REJECTED",
        "normal_clearing": "NORMAL_CLEARING",
        "originator_cancel": "ORIGINATOR_CANCEL",
        "timeout": "NO_ANSWER",
        "time_limit": "ALLOTTED_TIMEOUT",
        "user_busy": "USER_BUSY",
        "not_found": "UNALLOCATED_NUMBER",
        "no_answer": "NO_ANSWER",
    }
)
UNKNOWN_CAUSE = "NORMAL_UNSPECIFIED"


class End(StrEnum):
    """Which leg of a call it is, by how its `client_state` begins."""

    ONLY = "stellwerk:"
    FIRST = "stellwerk-first:"
    SECOND = "stellwerk-second:"  # rung by the transfer of the first

    @property
    def leg(self) -> Leg:
        """Whose end of the call it is."""
        return Leg.FIRST if self is End.FIRST else Leg.TO


@dataclass(frozen=True, slots=True)
class Whose:
    """What a `client_state` names."""

    call_id: UUID
    end: End = End.ONLY

    @property
    def state(self) -> str:
        """The `client_state` that all events of this leg carry."""
        return base64.b64encode(f"{self.end}{self.call_id}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a leg, from wherever it was told. `ref`: Telnyx's name of that leg."""

    whose: Whose
    name: str
    at: datetime
    leg_id: str
    ref: str | None = None
    hangup_cause: str = ""
    sip_status: str = ""


def event_of(told: Told) -> CallEvent | None:
    """None for what is nothing to us. The key is the same by callback and by question."""
    kind = KINDS.get(told.name)
    if kind is None:
        return None
    is_second = told.whose.end is End.SECOND  # of which there is one, known before it has a name
    cause = _cause(told) if kind is EventKind.HUNG_UP else None
    return CallEvent(
        told.whose.call_id,
        told.whose.end.leg,
        kind,
        told.at,
        key=f"{End.SECOND if is_second else told.leg_id + ':'}{told.name}",
        cause=cause,
        ref=None if is_second else told.ref,
    )


def state_of(call_id: UUID, end: End = End.ONLY) -> str:
    """The `client_state` of a leg."""
    return Whose(call_id, end).state


def whose(client_state: object) -> Whose | None:
    """None where a `client_state` is not ours."""
    try:
        text = base64.b64decode(str(client_state), validate=True).decode()
        return next(
            (Whose(UUID(text.removeprefix(end)), end) for end in End if text.startswith(end)), None
        )
    except (ValueError, binascii.Error):
        return None


def second_began(call_id: UUID) -> CallEvent:
    """What Telnyx tells of the second leg at first, as known by the answer to its order."""
    named = Whose(call_id, End.SECOND)
    key = f"{End.SECOND}{INITIATED}"
    return CallEvent(call_id, named.end.leg, KINDS[INITIATED], datetime.now(UTC), key=key)


def within(thing: Any, name: str) -> Any:
    """The first value of that name anywhere in what JSON holds."""
    if isinstance(thing, Mapping):
        if name in thing:
            return thing[name]
        thing = list(thing.values())
    if isinstance(thing, list):
        found = (within(inner, name) for inner in thing)
        return next((value for value in found if value is not None), None)
    return None


def _cause(told: Told) -> str:
    return CAUSES.get(told.hangup_cause) or cause_of(told.sip_status) or UNKNOWN_CAUSE
