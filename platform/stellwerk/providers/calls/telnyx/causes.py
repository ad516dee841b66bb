"""What Telnyx's events and causes stand for.

See https://developers.telnyx.com/docs/voice/programmable-voice/receiving-webhooks.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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
_OURS = "stellwerk:"


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a leg, from wherever it was told."""

    call_id: UUID
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
    key = f"{told.leg_id}:{told.name}"
    cause = _cause(told) if kind is EventKind.HUNG_UP else None
    return CallEvent(told.call_id, Leg.TO, kind, told.at, key=key, cause=cause, ref=told.ref)


def state_of(call_id: UUID) -> str:
    """The `client_state` that all events of a call carry."""
    return base64.b64encode(f"{_OURS}{call_id}".encode()).decode()


def call_of(client_state: object) -> UUID | None:
    """Which call a `client_state` names; None where it is not ours."""
    try:
        text = base64.b64decode(str(client_state), validate=True).decode()
        return UUID(text.removeprefix(_OURS)) if text.startswith(_OURS) else None
    except (ValueError, binascii.Error):
        return None


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
