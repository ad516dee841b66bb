"""What Telnyx can be asked of a call.

See https://developers.telnyx.com/api/call-control/retrieve-call-status and
https://developers.telnyx.com/api/call-control/list-call-events.
"""

from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from telnyx import AsyncTelnyx
from telnyx.types import CallEventListResponse
from telnyx.types.call_retrieve_status_response import Data

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.calls.carriers import ACCURACY_S, require_settled
from stellwerk.providers.calls.protocol import CallEvent, Presence
from stellwerk.providers.calls.rounds import Watched
from stellwerk.providers.calls.telnyx.causes import (
    ANSWERED,
    HANGUP,
    INITIATED,
    End,
    Told,
    Whose,
    event_of,
    within,
)
from stellwerk.providers.calls.telnyx.client import Refused, answer

PAGE = 250
PAGES = 8  # at most
WEBHOOK = "webhook"  # events are told; the others are commands

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """What Telnyx lists; `is_whole`: there is no more."""

    items: Sequence[Item]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A call of which only our name is known."""

    state: str  # the `client_state` of its first order
    connection_id: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a call is, by all of its legs; `first_ended_at`: of one whose second is missing."""

    presence: Presence
    events: tuple[CallEvent, ...]
    first_ended_at: datetime | None = None


async def look(client: AsyncTelnyx, call: Watched) -> Seen:
    """How far a call is; what Telnyx knows no more has ended.

    ABSENT: its first leg has ended after an answer, and of the second Telnyx tells nothing.
    """
    named = Whose(call.call_id, End.FIRST if call.has_two_legs else End.ONLY)
    state = await _state(client, call.ref)
    if state is None:
        gone = Told(named, HANGUP, datetime.now(UTC), call.ref, call.ref)
        return Seen(Presence.ABSENT if call.has_two_legs else Presence.ENDED, _known([gone]))
    if not call.has_two_legs:
        told = _leg(named, state, await _of_leg(client, state))
        return Seen(Presence.ENDED if _end_of(told) else Presence.LIVE, _known(told))
    own, others = await _of_session(client, state)
    told = _leg(named, state, own)
    second = await _second(client, call, others)
    return _seen(told, second)


async def second_ref(client: AsyncTelnyx, call: Watched) -> str | None:
    """Telnyx's name of the leg that a call's first one was transferred to, where it has one."""
    state = await _state(client, call.ref)
    if state is None:
        return None
    _, others = await _of_session(client, state)
    return _ref_of(others)


async def whereabouts(client: AsyncTelnyx, asked: Whereabouts) -> str | None:
    """Telnyx's name of a call; None: it lists none, which says nothing of what it will list.

    Raises ProviderUnavailable, also while it is too early to tell.
    """
    earliest = (asked.since - timedelta(seconds=ACCURACY_S)).astimezone(UTC)
    begun = await _events(client, _since(earliest))
    for event in begun.items:
        name = within(event.metadata, "call_control_id")
        if within(event.metadata, "client_state") == asked.state and isinstance(name, str):
            return name
    active = await _active(client, asked.connection_id)
    for call in active.items:
        if call.client_state == asked.state:
            return str(call.call_control_id)
    require_settled(asked.since)
    return None


def _seen(first: Sequence[Told], second: Sequence[Told]) -> Seen:
    events, ended = _known([*first, *second]), _end_of(first)
    if ended is None or (second and _end_of(second) is None):
        return Seen(Presence.LIVE, events)
    if second or all(one.name != ANSWERED for one in first):
        return Seen(Presence.ENDED, events)
    return Seen(Presence.ABSENT, events, ended.at)


async def _second(
    client: AsyncTelnyx, call: Watched, events: Sequence[CallEventListResponse]
) -> Sequence[Told]:
    """What is known of the leg that is in the same session as the first."""
    named, ref = Whose(call.call_id, End.SECOND), _ref_of(events)
    told = [_told(named, ref, event) for event in events]
    if ref is None or _end_of(told):
        return told
    state = await _state(client, ref)
    if state is None:
        return [*told, Told(named, HANGUP, datetime.now(UTC), events[0].call_leg_id, ref)]
    return _leg(named, state, events)


def _leg(whose: Whose, state: Data, events: Sequence[CallEventListResponse]) -> list[Told]:
    """What the events say of a leg, and the state of an end that none of them tells."""
    told = [_told(whose, state.call_control_id, event) for event in events]
    return told if _end_of(told) else [*told, *_end(whose, state)]


def _ref_of(events: Sequence[CallEventListResponse]) -> str | None:
    names = (within(event.metadata, "call_control_id") for event in events)
    return next((name for name in names if isinstance(name, str)), None)


def _end_of(told: Sequence[Told]) -> Told | None:
    return next((one for one in told if one.name == HANGUP), None)


def _end(whose: Whose, state: Data) -> Iterator[Told]:
    """What the state says of an end that no event tells."""
    if state.is_alive or not state.end_time:
        return
    at = datetime.fromisoformat(state.end_time)
    leg_id, ref = state.call_leg_id, state.call_control_id
    if state.call_duration:
        answered_at = at - timedelta(seconds=state.call_duration)
        yield Told(whose, ANSWERED, answered_at, leg_id, ref)
    yield Told(whose, HANGUP, at, leg_id, ref)


def _told(whose: Whose, ref: str | None, event: CallEventListResponse) -> Told:
    return Told(
        whose=whose,
        name=event.name if event.type == WEBHOOK else "",
        at=datetime.fromisoformat(event.event_timestamp),
        leg_id=event.call_leg_id,
        ref=ref,
        hangup_cause=str(within(event.metadata, "hangup_cause") or ""),
        sip_status=str(within(event.metadata, "sip_hangup_cause") or ""),
    )


async def _state(client: AsyncTelnyx, ref: str) -> Data | None:
    """None where Telnyx knows nothing of it any more."""
    try:
        state = (await answer(client.calls.retrieve_status(ref))).data
    except Refused as exc:
        if not exc.is_gone:
            raise exc.unanswered() from None
        return None
    if state is None:
        raise ProviderUnavailable("Telnyx's answer names no call.")
    return state


async def _of_leg(client: AsyncTelnyx, state: Data) -> Sequence[CallEventListResponse]:
    return (await _events(client, {"leg_id": state.call_leg_id})).items


async def _of_session(
    client: AsyncTelnyx, state: Data
) -> tuple[Sequence[CallEventListResponse], Sequence[CallEventListResponse]]:
    """Those of this leg, and those of the other one."""
    listed = await _events(client, {"application_session_id": state.call_session_id})
    own = [event for event in listed.items if event.call_leg_id == state.call_leg_id]
    return own, [event for event in listed.items if event.call_leg_id != state.call_leg_id]


def _known(told: Sequence[Told]) -> tuple[CallEvent, ...]:
    return tuple(event for one in told if (event := event_of(one)) is not None)


def _since(earliest: datetime) -> dict[str, Any]:
    return {"name": INITIATED, "occurred_at": {"gte": earliest.isoformat()}}


async def _events(client: AsyncTelnyx, asked: Any) -> Listed[CallEventListResponse]:
    return await _listed(client.call_events.list(filter=asked, page_size=PAGE))


async def _active(client: AsyncTelnyx, connection_id: str) -> Listed[Any]:
    return await _listed(client.connections.list_active_calls(connection_id, page_size=PAGE))


def _is_last(page: Any) -> bool:
    return not page.has_next_page() or (page.meta is None and len(page.data or ()) < PAGE)


async def _listed(first: Awaitable[Any]) -> Listed[Any]:
    """The items of so many pages."""
    try:
        page = await answer(first)
        found = Listed(list(page.data or ()), is_whole=_is_last(page))
        for _ in range(PAGES - 1):
            if found.is_whole:
                break
            page = await answer(page.get_next_page())
            found = Listed([*found.items, *(page.data or ())], is_whole=_is_last(page))
    except Refused as exc:
        raise exc.unanswered() from None
    return found
