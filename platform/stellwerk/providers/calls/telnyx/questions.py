"""What Telnyx can be asked of a call.

See https://developers.telnyx.com/api/call-control/retrieve-call-status and
https://developers.telnyx.com/api/call-control/list-call-events.
"""

from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from telnyx import AsyncTelnyx
from telnyx.types import CallEventListResponse
from telnyx.types.call_retrieve_status_response import Data

from stellwerk.providers.calls.carriers import ACCURACY_S, require_settled
from stellwerk.providers.calls.protocol import CallEvent
from stellwerk.providers.calls.rounds import Watched
from stellwerk.providers.calls.telnyx.causes import (
    ANSWERED,
    HANGUP,
    INITIATED,
    Told,
    event_of,
    state_of,
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

    call_id: UUID
    connection_id: str
    since: datetime


async def events(client: AsyncTelnyx, call: Watched) -> tuple[CallEvent, ...]:
    """How far a call is; what Telnyx knows no more has ended."""
    try:
        state = (await answer(client.calls.retrieve_status(call.ref))).data
    except Refused as exc:
        if not exc.is_gone:
            raise exc.unanswered() from None
        return _known([Told(call.call_id, HANGUP, datetime.now(UTC), call.ref, call.ref)])
    if state is None:
        return ()
    listed = await _events(client, {"leg_id": state.call_leg_id})
    told = [_told(call, event) for event in listed.items]
    if all(one.name != HANGUP for one in told):
        told += _end(call, state)
    return _known(told)


async def whereabouts(client: AsyncTelnyx, asked: Whereabouts) -> str | None:
    """Telnyx's name of a call; None: it lists none, which says nothing of what it will list.

    Raises ProviderUnavailable, also while it is too early to tell.
    """
    state = state_of(asked.call_id)
    earliest = (asked.since - timedelta(seconds=ACCURACY_S)).astimezone(UTC)
    begun = await _events(client, _since(earliest))
    for event in begun.items:
        name = within(event.metadata, "call_control_id")
        if within(event.metadata, "client_state") == state and isinstance(name, str):
            return name
    active = await _active(client, asked.connection_id)
    for call in active.items:
        if call.client_state == state:
            return str(call.call_control_id)
    require_settled(asked.since)
    return None


def _end(call: Watched, state: Data) -> Iterator[Told]:
    """What the state says of an end that no event tells."""
    if state.is_alive or not state.end_time:
        return
    at = datetime.fromisoformat(state.end_time)
    leg_id = state.call_leg_id
    if state.call_duration:
        answered_at = at - timedelta(seconds=state.call_duration)
        yield Told(call.call_id, ANSWERED, answered_at, leg_id, call.ref)
    yield Told(call.call_id, HANGUP, at, leg_id, call.ref)


def _told(call: Watched, event: CallEventListResponse) -> Told:
    return Told(
        call_id=call.call_id,
        name=event.name if event.type == WEBHOOK else "",
        at=datetime.fromisoformat(event.event_timestamp),
        leg_id=event.call_leg_id,
        ref=call.ref,
        hangup_cause=str(within(event.metadata, "hangup_cause") or ""),
        sip_status=str(within(event.metadata, "sip_hangup_cause") or ""),
    )


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
