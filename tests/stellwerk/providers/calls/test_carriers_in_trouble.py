"""What an order to dial that went wrong means: nothing was done, nobody knows, or never."""

import asyncio
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from raw_answers import Request, closed_port, http, raw_server
from stellwerk.errors import (
    ProviderDeferred,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
)
from stellwerk.providers.calls.carriers import Manner
from stellwerk.providers.calls.protocol import Dial, EventKind, Leg, Presence, Trace, Trunk
from stellwerk.providers.calls.telnyx.causes import state_of
from stellwerk.providers.calls.telnyx.client import Access, client_of
from stellwerk.providers.calls.telnyx.trunk import TelnyxTrunk
from stellwerk.providers.calls.twilio.client import Account, TwilioAccount
from stellwerk.providers.calls.twilio.trunk import TwilioTrunk

TO = "+4930123450001"
OWN = "+15551234567"
MANNER = Manner(1, OWN)
LONG_AGO = timedelta(minutes=2)
PATIENT_S = 60.0


def twilio(url: str, timeout_s: float = PATIENT_S) -> Trunk:
    account = Account("AC1", SecretStr("token"), url, timeout_s)
    return TwilioTrunk(TwilioAccount(account), MANNER)


def telnyx(url: str, timeout_s: float = PATIENT_S) -> Trunk:
    access = Access(SecretStr("KEY"), "123", url, timeout_s)
    return TelnyxTrunk(client_of(access), "123", MANNER)


both = pytest.mark.parametrize("trunk_at", [twilio, telnyx])
TrunkAt = Callable[..., Trunk]


def refusal(trunk_at: TrunkAt, answer: Callable[[Request], bytes | None]) -> ProviderError:
    """The error of an order that is answered so; it is sent once."""
    with raw_server(answer) as server:
        with pytest.raises(ProviderError) as raised:
            asyncio.run(trunk_at(server.url).dial(Dial(uuid4(), TO)))
        assert len(server.requests) == 1
    assert TO[1:] not in str(raised.value)
    return raised.value


@both
def test_an_order_that_found_nobody_is_sent_again(trunk_at: TrunkAt) -> None:
    with pytest.raises(ProviderDeferred):
        asyncio.run(trunk_at(closed_port()).dial(Dial(uuid4(), TO)))


@both
def test_an_order_without_an_answer_is_uncertain(trunk_at: TrunkAt) -> None:
    held = Event()

    def hold(_request: Request) -> bytes | None:
        held.wait(60)
        return None

    with raw_server(hold) as server:
        for timeout_s in (1, 20):  # the first may be over before a busy machine sent the order
            with pytest.raises(ProviderUnavailable) as raised:
                asyncio.run(trunk_at(server.url, timeout_s).dial(Dial(uuid4(), TO)))
            if server.requests:
                break
        held.set()
        assert len(server.requests) == 1
    assert not isinstance(raised.value, ProviderDeferred)


def test_a_thread_of_twilios_that_outlives_its_order_sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name server holds it up for longer than anybody waits."""
    found, resolve = Event(), socket.getaddrinfo

    def slowly(*asked: Any) -> Any:
        found.wait(60)
        return resolve(*asked)

    with raw_server(lambda _: http(201, leg("CA1", "queued"))) as server:
        account = TwilioAccount(Account("AC1", SecretStr("token"), server.url, timeout_s=0.1))
        monkeypatch.setattr(socket, "getaddrinfo", slowly)
        with pytest.raises(ProviderUnavailable) as raised:
            asyncio.run(TwilioTrunk(account, MANNER).dial(Dial(uuid4(), TO)))
        found.set()
        account._threads.shutdown()  # noqa: SLF001  to wait for what it does
        assert server.requests == []
    assert not isinstance(raised.value, ProviderDeferred)


@both
def test_a_connection_that_breaks_after_the_order_leaves_it_uncertain(trunk_at: TrunkAt) -> None:
    error = refusal(trunk_at, lambda _: None)
    assert type(error) is ProviderUnavailable


@both
@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504])
def test_a_fault_of_the_carrier_leaves_it_uncertain(trunk_at: TrunkAt, status: int) -> None:
    error = refusal(trunk_at, lambda _: http(status, {"message": "sorry"}, Retry_After="17"))
    assert type(error) is ProviderUnavailable


@both
@pytest.mark.parametrize("status", [425, 429])
def test_a_carrier_that_turned_an_order_away_did_nothing(trunk_at: TrunkAt, status: int) -> None:
    error = refusal(trunk_at, lambda _: http(status, {"message": "later"}, Retry_After="17"))
    assert isinstance(error, ProviderDeferred)
    assert error.retry_after_s == 17


@both
@pytest.mark.parametrize("status", [302, 307])
def test_an_order_is_not_sent_on_to_where_an_answer_points(trunk_at: TrunkAt, status: int) -> None:
    error = refusal(trunk_at, lambda _: http(status, {}, Location="/elsewhere"))
    assert type(error) is ProviderUnavailable


@both
def test_what_is_no_answer_of_the_carrier_leaves_it_uncertain(trunk_at: TrunkAt) -> None:
    error = refusal(trunk_at, lambda _: b"HTTP/1.1 201 Created\r\nContent-Length: 999\r\n\r\n{")
    assert type(error) is ProviderUnavailable


@pytest.mark.parametrize(
    ("trunk_at", "body"),
    [
        (twilio, {"code": 21211, "message": f"The 'To' number {TO} is not valid"}),
        (telnyx, {"errors": [{"code": "10016", "detail": f"{TO[1:]} is not valid"}]}),
    ],
)
def test_a_refusal_is_final_and_tells_why_without_the_number(
    trunk_at: TrunkAt, body: dict[str, Any]
) -> None:
    error = refusal(trunk_at, lambda _: http(400, body))
    assert isinstance(error, ProviderRejected)
    assert "4930•••001 is not valid" in str(error)


@both
def test_what_cannot_be_asked_leaves_a_call_open(trunk_at: TrunkAt) -> None:
    trunk, since = trunk_at(closed_port()), datetime.now(UTC) - LONG_AGO
    for ref in (None, "a-name"):
        with pytest.raises(ProviderUnavailable):
            asyncio.run(trunk.trace(Dial(uuid4(), TO), ref, since))
    with pytest.raises(ProviderUnavailable):
        asyncio.run(trunk.hang_up(uuid4(), "a-name"))
    assert not asyncio.run(trunk.check()).is_connected


@both
def test_a_call_that_the_carrier_forgot_has_ended(trunk_at: TrunkAt) -> None:
    with raw_server(lambda _: http(404, {"message": "no such call"})) as server:
        trunk = trunk_at(server.url)
        trace = asyncio.run(trunk.trace(Dial(uuid4(), TO), "a-name", datetime.now(UTC)))
        asyncio.run(trunk.hang_up(uuid4(), "a-name"))
    assert trace.presence is Presence.ENDED
    assert [event.kind for event in trace.events] == [EventKind.HUNG_UP]


def telnyx_that_knows(call_id: UUID | None, at: datetime) -> Callable[[Request], bytes]:
    """Answers of a Telnyx that dialled one call; None: one that does not say whose it is."""
    named = {"client_state": state_of(call_id), "call_control_id": "v3:one"} if call_id else {}
    event = {
        "record_type": "call_event",
        "call_leg_id": "leg",
        "call_session_id": "session",
        "event_timestamp": at.isoformat(),
        "type": "webhook",
        "metadata": {"payload": named},
    }
    state = {"call_control_id": "v3:one", "call_leg_id": "leg", "is_alive": True}

    def answer(request: Request) -> bytes:
        if request.path.endswith("/active_calls"):
            return http(200, {"data": []})
        if request.path.startswith("/calls/"):
            return http(200, {"data": state})
        assert TO[1:] not in request.query
        names = (
            ["call.initiated", "call.answered"] if "leg_id" in request.query else ["call.initiated"]
        )
        return http(200, {"data": [event | {"name": name} for name in names]})

    return answer


def test_telnyx_finds_a_call_by_our_name_of_it() -> None:
    dial, since = Dial(uuid4(), TO), datetime.now(UTC)
    with raw_server(telnyx_that_knows(dial.call_id, since)) as server:
        trace = asyncio.run(telnyx(server.url).trace(dial, None, since))
    assert trace.presence is Presence.LIVE
    assert [(event.kind, event.ref) for event in trace.events] == [
        (EventKind.CREATED, "v3:one"),
        (EventKind.ANSWERED, "v3:one"),
    ]


@pytest.mark.parametrize("whose", [uuid4(), None])
def test_what_telnyx_does_not_list_may_have_been_dialled_all_the_same(whose: UUID | None) -> None:
    since = datetime.now(UTC) - LONG_AGO
    with raw_server(telnyx_that_knows(whose, since)) as server:
        trace = asyncio.run(telnyx(server.url).trace(Dial(uuid4(), TO), None, since))
        assert trace.presence is Presence.ABSENT
        with pytest.raises(ProviderUnavailable, match="too early"):
            asyncio.run(telnyx(server.url).trace(Dial(uuid4(), TO), None, datetime.now(UTC)))


def test_a_second_order_to_telnyx_carries_the_same_name() -> None:
    dial = Dial(uuid4(), TO)
    with raw_server(lambda _: http(500, {})) as server:
        for _ in range(2):
            with pytest.raises(ProviderUnavailable):
                asyncio.run(telnyx(server.url).dial(dial))
    assert {str(dial.call_id).encode() in one.body for one in server.requests} == {True}


@both
@pytest.mark.parametrize(
    ("dial", "what_to_do"),
    [
        (Dial(uuid4(), TO, recording=Path("r.wav")), "leave out `record`"),
        (Dial(uuid4(), TO, first=OWN, max_duration_s=20_000), "max_duration_s|leave out `from`"),
        (Dial(uuid4(), TO, first=OWN, recording=Path("r.wav")), "leave out `record`"),
    ],
)
def test_what_a_carrier_can_not_do_is_refused_with_what_to_do(
    trunk_at: TrunkAt, dial: Dial, what_to_do: str
) -> None:
    with pytest.raises(ProviderRejected, match=what_to_do):
        trunk_at(closed_port()).refuse(dial)


def test_click_to_call_over_twilio_tells_of_both_legs() -> None:
    dial, since = Dial(uuid4(), TO, first="+4930123450009"), datetime.now(UTC)
    first = leg("CA1", "in-progress")
    second = leg("CA2", "busy", end_time="Sun, 22 Nov 2026 20:00:00 +0000", duration="0")

    def answer(request: Request) -> bytes:
        if request.path.endswith("/Calls/CA1.json"):
            return http(200, first)
        assert request.query.startswith("ParentCallSid=CA1")
        return http(200, {"calls": [second], "page": 0, "page_size": 50})

    with raw_server(answer) as server:
        trace = asyncio.run(twilio(server.url).trace(dial, "CA1", since))
    assert trace.presence is Presence.LIVE
    assert [(event.leg, event.kind, event.cause) for event in trace.events] == [
        (Leg.TO, EventKind.HUNG_UP, "USER_BUSY"),
        (Leg.FIRST, EventKind.ANSWERED, None),
    ]
    assert {event.ref for event in trace.events} == {"CA1"}


def test_two_doubted_calls_do_not_take_the_same_one_of_twilio() -> None:
    """Both ask before either has found it."""
    dials, since = [Dial(uuid4(), TO) for _ in range(2)], datetime.now(UTC)
    both_asked = Barrier(2)
    created = since.strftime("%a, %d %b %Y %H:%M:%S +0000")

    def answer(request: Request) -> bytes:
        if request.path.endswith("/Calls/CA1.json"):
            return http(200, leg("CA1", "in-progress"))
        both_asked.wait(60)
        return http(200, {"calls": [leg("CA1", "in-progress") | {"date_created": created}]})

    async def ask(trunk: Trunk) -> list[Any]:
        traces = (trunk.trace(dial, None, since) for dial in dials)
        return await asyncio.gather(*traces, return_exceptions=True)

    with raw_server(answer) as server:
        told = asyncio.run(ask(twilio(server.url)))
    assert [one.presence for one in told if isinstance(one, Trace)] == [Presence.LIVE]
    [unknown] = [one for one in told if isinstance(one, ProviderUnavailable)]
    assert "too early" in str(unknown)


def test_a_call_that_is_being_dialled_is_not_taken_for_a_doubted_one() -> None:
    since, listed = datetime.now(UTC), Event()
    created = since.strftime("%a, %d %b %Y %H:%M:%S +0000")

    def answer(request: Request) -> bytes:
        if request.method == "POST":
            listed.wait(60)
            return http(201, leg("CA2", "queued"))
        return http(200, {"calls": [leg("CA2", "queued") | {"date_created": created}]})

    async def ask(trunk: Trunk) -> None:
        order = asyncio.create_task(trunk.dial(Dial(uuid4(), TO)))
        await asyncio.sleep(0)
        with pytest.raises(ProviderUnavailable, match="being dialled"):
            await trunk.trace(Dial(uuid4(), TO), None, since)
        listed.set()
        assert await order == "CA2"

    with raw_server(answer) as server:
        asyncio.run(ask(twilio(server.url)))


def leg(sid: str, status: str, **more: str) -> dict[str, Any]:
    created = "Sun, 22 Nov 2026 19:59:00 +0000"
    return {"sid": sid, "status": status, "from": OWN, "to": TO, "date_created": created, **more}


def test_a_duration_tells_when_a_call_was_answered() -> None:
    ended = leg("CA1", "completed", end_time="Sun, 22 Nov 2026 20:00:00 +0000", duration="90")
    with raw_server(lambda _: http(200, ended)) as server:
        trace = asyncio.run(twilio(server.url).trace(Dial(uuid4(), TO), "CA1", datetime.now(UTC)))
    answered, hung_up = trace.events
    assert hung_up.at - answered.at == timedelta(seconds=90)
    assert hung_up.billable_s == 90
