"""Reads of calls: somebody's history, and how one call is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from stellwerk.calls.dials import UNKNOWN, Numbers, numbers_of
from stellwerk.calls.model import Call, CallEvent
from stellwerk.calls.settling import NUMBERLESS
from stellwerk.calls.states import CallState
from stellwerk.errors import NotFound
from stellwerk.masking import masked_number
from stellwerk.providers.calls.protocol import EventKind, Leg

NUMBERS = ("to", "from", "caller_id")  # of a call as it is shown


class Found(NamedTuple):
    """A call as it is shown, and whose it is; nobody's after an erasure."""

    user_id: int | None
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallFilter:
    """What a list of calls is narrowed to; `after` ended the page before.

    `since` is within, `until` is not. `number_hashes`: all of `vault.lookups(number)`, of one that
    was called or rung first.
    """

    since: datetime | None = None
    until: datetime | None = None
    states: Sequence[CallState] = ()
    number_hashes: Sequence[str] = ()
    after: UUID | None = None
    limit: int = 50


def calls(session: Session, user_id: int, wanted: CallFilter) -> list[dict[str, Any]]:
    """The user's calls, newest first, with their numbers in full where they can be read."""
    query = select(Call).options(*NUMBERLESS).where(Call.user_id == user_id, *_conditions(wanted))
    found = session.scalars(query.order_by(Call.id.desc()).limit(wanted.limit)).all()
    numbers = numbers_of(session, [one.id for one in found])
    return [_document(one, numbers.get(one.id, UNKNOWN)) for one in found]


def call(session: Session, call_id: UUID) -> Found:
    """A call with its timeline, whoever's it is; raises NotFound."""
    found = session.get(Call, call_id, options=NUMBERLESS)
    if found is None:
        raise unknown(call_id)
    numbers = numbers_of(session, [call_id]).get(call_id, UNKNOWN)
    document = _document(found, numbers) | {"timeline": timeline(session, call_id)}
    return Found(found.user_id, document)


def timeline(session: Session, call_id: UUID) -> list[dict[str, Any]]:
    """What happened in a call, in the order in which it happened."""
    query = select(CallEvent).where(CallEvent.call_id == call_id)
    found = session.scalars(query.order_by(CallEvent.at, CallEvent.id))
    return [
        {
            "at": event.at,
            "leg": Leg(event.leg),
            "event": EventKind(event.kind),
            "hangup_cause": event.cause,
        }
        for event in found
    ]


def masked(document: dict[str, Any]) -> dict[str, Any]:
    """The same without a number in full."""
    hidden = {name: document[name] and masked_number(document[name]) for name in NUMBERS}
    return document | hidden


def unknown(call_id: UUID) -> NotFound:
    """The refusal of a call that does not exist or is not the caller's to see."""
    return NotFound(f"There is no call {call_id}.")


def _conditions(wanted: CallFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        conditions.append(Call.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(Call.created_at < wanted.until)
    if wanted.states:
        conditions.append(Call.state.in_(wanted.states))
    if wanted.number_hashes:
        hashes = wanted.number_hashes
        conditions.append(or_(Call.to_hash.in_(hashes), Call.first_hash.in_(hashes)))
    if wanted.after is not None:
        conditions.append(Call.id < wanted.after)
    return conditions


def _document(call: Call, numbers: Numbers) -> dict[str, Any]:
    return {
        "call_id": call.id,
        "job_id": call.job_id,
        "state": CallState(call.state),
        "uncertain": call.is_uncertain,
        "to": numbers.to,
        "from": numbers.first,
        "caller_id": numbers.caller_id,
        "provider": call.provider,
        "simulated": call.is_simulated,
        "record": call.is_recorded,
        "timeout_s": call.ring_timeout_s,
        "max_duration_s": call.max_duration_s,
        "created_at": call.created_at,
        "dialed_at": call.intended_at,
        "ringing_at": call.ringing_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        "hangup_requested_at": call.hangup_asked_at,
        "duration_s": call.duration_s,
        "billable_s": call.billable_s,
        "hangup_cause": call.cause,
        "cost": call.cost_eur,
    }
