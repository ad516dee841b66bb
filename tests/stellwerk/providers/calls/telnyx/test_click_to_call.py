"""Two legs over Telnyx: what is asked, and what is known of each."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from raw_answers import Request, closed_port, http, raw_server
from stellwerk.errors import ProviderDeferred, ProviderError, ProviderRejected, ProviderUnavailable
from stellwerk.providers.calls.carriers import Manner
from stellwerk.providers.calls.protocol import Dial, EventKind, Leg, Presence, Trace
from stellwerk.providers.calls.telnyx.causes import End, second_began, state_of
from stellwerk.providers.calls.telnyx.client import Access, client_of
from stellwerk.providers.calls.telnyx.trunk import ENDED_CODE, TelnyxTrunk

FIRST, TO, OWN = "+4930123450009", "+4930123450001", "+15551234567"
AT = datetime(2026, 11, 22, 20, tzinfo=UTC)
INITIATED, ANSWERED, HANGUP = "call.initiated", "call.answered", "call.hangup"


@pytest.fixture
def dial() -> Dial:
    return Dial(uuid4(), TO, first=FIRST, ring_timeout_s=30, max_duration_s=600)


def trunk_at(url: str) -> TelnyxTrunk:
    access = Access(SecretStr("KEY"), "123", url, timeout_s=30)
    return TelnyxTrunk(client_of(access), "123", Manner(1, OWN, "https://calls.example"))


def leg(name: str, *told: str, is_alive: bool) -> dict[str, Any]:
    """What Telnyx knows of a leg."""
    ended = {} if is_alive else {"end_time": AT.isoformat()}
    state = {"call_control_id": f"v3:{name}", "call_leg_id": name, "call_session_id": "both"}
    events = [
        {
            "record_type": "call_event",
            "call_leg_id": name,
            "call_session_id": "both",
            "event_timestamp": (AT + timedelta(seconds=number)).isoformat(),
            "type": "webhook",
            "name": one,
            "metadata": {"call_control_id": f"v3:{name}", "hangup_cause": "user_busy"},
        }
        for number, one in enumerate(told)
    ]
    return {"state": {**state, "is_alive": is_alive, **ended}, "events": events}


def telnyx_with(*legs: dict[str, Any]) -> Callable[[Request], bytes]:
    """One that knows these; a leg that is not alive can not be hung up."""

    def answer(request: Request) -> bytes:
        if request.path == "/call_events":
            assert "application_session_id" in request.query
            return http(200, {"data": [event for one in legs for event in one["events"]]})
        name = request.path.split("/")[2].replace("%3A", ":")
        state = next(
            (one["state"] for one in legs if one["state"]["call_control_id"] == name), None
        )
        if state is None:
            return http(404, {"errors": [{"code": "10005", "detail": "no such call"}]})
        if request.method == "POST" and not state["is_alive"]:
            return http(422, {"errors": [{"code": ENDED_CODE, "detail": "Call has ended"}]})
        return http(200, {"data": state})

    return answer


def traced(dial: Dial, *legs: dict[str, Any]) -> Trace:
    with raw_server(telnyx_with(*legs)) as server:
        return asyncio.run(trunk_at(server.url).trace(dial, "v3:one", AT))


def test_both_orders_say_which_leg_they_are_of(dial: Dial) -> None:
    with raw_server(lambda _: http(200, {"data": {"call_control_id": "v3:one"}})) as server:
        trunk = trunk_at(server.url)
        ref = asyncio.run(trunk.dial(dial))
        asyncio.run(trunk.bridge(dial, str(ref)))
    first, second = (json.loads(request.body) for request in server.requests)
    assert (first["to"], first["client_state"]) == (FIRST, state_of(dial.call_id, End.FIRST))
    assert first["time_limit_secs"] > 600 + 30
    assert (second["to"], second["from"], second["time_limit_secs"]) == (TO, OWN, 600)
    assert second["target_leg_client_state"] == state_of(dial.call_id, End.SECOND)
    assert "client_state" not in second
    assert first["webhook_url"] == second["webhook_url"]
    assert server.requests[1].path.endswith("/v3:one/actions/transfer")


def test_a_second_order_to_connect_carries_the_same_name(dial: Dial) -> None:
    with raw_server(lambda _: http(500, {})) as server:
        for _ in range(2):
            with pytest.raises(ProviderUnavailable):
                asyncio.run(trunk_at(server.url).bridge(dial, "v3:one"))
    assert len({json.loads(request.body)["command_id"] for request in server.requests}) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(422, ProviderRejected), (429, ProviderDeferred), (503, ProviderUnavailable)],
)
def test_what_an_answer_to_it_means(dial: Dial, status: int, error: type[ProviderError]) -> None:
    refused = {"errors": [{"code": "1", "detail": f"not {TO}"}]}
    with raw_server(lambda _: http(status, refused)) as server, pytest.raises(error) as raised:
        asyncio.run(trunk_at(server.url).bridge(dial, "v3:one"))
    assert type(raised.value) is error
    assert TO[1:] not in str(raised.value)
    with pytest.raises(ProviderDeferred):
        asyncio.run(trunk_at(closed_port()).bridge(dial, "v3:one"))


def test_each_leg_is_known_by_its_events(dial: Dial) -> None:
    one = leg("one", INITIATED, ANSWERED, is_alive=True)
    two = leg("two", INITIATED, HANGUP, is_alive=False)
    trace = traced(dial, one, two)
    assert trace.presence is Presence.LIVE
    assert [(event.leg, event.kind, event.cause, event.ref) for event in trace.events] == [
        (Leg.FIRST, EventKind.CREATED, None, "v3:one"),
        (Leg.FIRST, EventKind.ANSWERED, None, "v3:one"),
        (Leg.TO, EventKind.CREATED, None, None),
        (Leg.TO, EventKind.HUNG_UP, "USER_BUSY", None),
    ]
    assert trace.events[2].key == second_began(dial.call_id).key


def test_a_call_goes_on_while_one_of_its_legs_does(dial: Dial) -> None:
    ended = leg("one", ANSWERED, HANGUP, is_alive=False)
    assert traced(dial, ended, leg("two", ANSWERED, is_alive=True)).presence is Presence.LIVE
    assert traced(dial, ended, leg("two", HANGUP, is_alive=False)).presence is Presence.ENDED
    silent = leg("two", INITIATED, is_alive=False)  # its end is no event, but its state tells it
    trace = traced(dial, ended, silent)
    assert trace.presence is Presence.ENDED
    assert [event.leg for event in trace.events if event.kind is EventKind.HUNG_UP] == [
        Leg.FIRST,
        Leg.TO,
    ]


def test_of_a_second_leg_that_is_not_listed_nobody_can_tell(dial: Dial) -> None:
    assert traced(dial, leg("one", HANGUP, is_alive=False)).presence is Presence.ENDED
    assert traced(dial, leg("one", ANSWERED, HANGUP, is_alive=False)).presence is Presence.ABSENT
    forgotten = traced(dial)
    assert forgotten.presence is Presence.ABSENT
    assert [(event.leg, event.kind) for event in forgotten.events] == [
        (Leg.FIRST, EventKind.HUNG_UP)
    ]


def test_a_second_leg_that_outlives_the_first_is_hung_up(dial: Dial) -> None:
    legs = leg("one", ANSWERED, HANGUP, is_alive=False), leg("two", ANSWERED, is_alive=True)
    with raw_server(telnyx_with(*legs)) as server:
        trunk = trunk_at(server.url)

        async def hang_up() -> None:
            await trunk.trace(dial, "v3:one", AT)
            await trunk.hang_up(dial.call_id, "v3:one")

        asyncio.run(hang_up())
    hung_up = [request.path for request in server.requests if request.method == "POST"]
    assert hung_up == ["/calls/v3:one/actions/hangup", "/calls/v3:two/actions/hangup"]
