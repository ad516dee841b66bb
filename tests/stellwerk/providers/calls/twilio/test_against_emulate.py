"""Calls over Twilio's own SDK against a third party's stand-in for Twilio."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr

from emulated_twilio import ACCOUNT, OWN_NUMBER, TOKEN, Twilio, running_twilio
from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.providers.calls.carriers import Manner
from stellwerk.providers.calls.protocol import (
    CallEvent,
    Dial,
    EventKind,
    Leg,
    Listener,
    Presence,
)
from stellwerk.providers.calls.rounds import Pace
from stellwerk.providers.calls.twilio.client import Account, TwilioAccount
from stellwerk.providers.calls.twilio.trunk import TwilioTrunk

OFTEN = Pace(every_s=0.05, per_s=100)
SETTLED = timedelta(minutes=2)


@pytest.fixture(scope="module")
def twilio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twilio]:
    with running_twilio(tmp_path_factory.mktemp("twilio")) as running:
        yield running


@pytest.fixture
def trunk(twilio: Twilio) -> TwilioTrunk:
    return trunk_at(twilio.url)


def trunk_at(url: str, token: str = TOKEN) -> TwilioTrunk:
    account = Account(ACCOUNT, SecretStr(token), url, timeout_s=60)
    return TwilioTrunk(TwilioAccount(account), Manner(1, OWN_NUMBER, pace=OFTEN))


def a_dial(to: str) -> Dial:
    return Dial(uuid4(), to)


def test_a_call_is_dialled_once_and_hung_up(twilio: Twilio, trunk: TwilioTrunk) -> None:
    dial = a_dial("+4930123450001")
    ref = asyncio.run(trunk.dial(dial))
    [call] = [one for one in twilio.calls() if one["to"] == dial.to]
    assert (call["sid"], call["from"]) == (ref, OWN_NUMBER)
    asyncio.run(trunk.hang_up(dial.call_id, ref))
    [call] = [one for one in twilio.calls() if one["to"] == dial.to]
    assert call["status"] == "completed"
    asyncio.run(trunk.hang_up(dial.call_id, ref))


def test_what_happens_is_found_by_asking(twilio: Twilio, trunk: TwilioTrunk) -> None:
    dial = a_dial("+4930123450002")
    heard: list[CallEvent] = []
    connections: list[bool] = []
    steps = iter(["in-progress", "completed", "completed"])

    async def follow() -> None:
        ref = str(await trunk.dial(dial))
        ended = asyncio.Event()

        def hear(event: CallEvent) -> None:
            is_new = event.key not in {known.key for known in heard}
            heard.append(event)
            if event.kind is EventKind.HUNG_UP:
                ended.set()
            elif is_new:
                twilio.becomes(ref, next(steps))

        listener = Listener(hear, lambda: connections.append(True))
        running = asyncio.create_task(trunk.run(listener))
        async with asyncio.timeout(60):
            await ended.wait()
        running.cancel()

    asyncio.run(follow())
    told = list(dict.fromkeys((event.kind, event.cause) for event in heard))
    assert told[0] == (EventKind.RINGING, None)
    assert told[1] == (EventKind.ANSWERED, None)
    assert told[-1] == (EventKind.HUNG_UP, "NORMAL_CLEARING")
    assert {event.leg for event in heard} == {Leg.TO}
    assert connections == [True]


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ("busy", "USER_BUSY"),
        ("no-answer", "NO_ANSWER"),
        ("canceled", "ORIGINATOR_CANCEL"),
        ("failed", "NORMAL_UNSPECIFIED"),
    ],
)
def test_each_end_has_its_cause(
    twilio: Twilio, trunk: TwilioTrunk, status: str, cause: str
) -> None:
    dial, since = a_dial("+4930123450003"), datetime.now(UTC)
    ref = str(asyncio.run(trunk.dial(dial)))
    twilio.becomes(ref, status)
    trace = asyncio.run(trunk.trace(dial, ref, since))
    assert trace.presence is Presence.ENDED
    assert [(event.kind, event.cause) for event in trace.events] == [(EventKind.HUNG_UP, cause)]


def test_a_call_without_a_name_is_found_by_its_numbers(twilio: Twilio) -> None:
    dial, since = a_dial("+4930123450004"), datetime.now(UTC)
    ref = asyncio.run(trunk_at(twilio.url).dial(dial))
    trace = asyncio.run(trunk_at(twilio.url).trace(dial, None, since))
    assert (trace.presence, {event.ref for event in trace.events}) == (Presence.LIVE, {ref})


def test_calls_that_are_others_are_not_taken_for_it(twilio: Twilio) -> None:
    to = "+4930123450005"
    ref = str(asyncio.run(trunk_at(twilio.url).dial(a_dial(to))))
    lost, since = a_dial(to), datetime.now(UTC)
    later = trunk_at(twilio.url)
    with pytest.raises(ProviderUnavailable, match="too early"):
        asyncio.run(later.trace(lost, None, since, known={ref}))


def test_of_several_that_fit_none_is_taken(twilio: Twilio) -> None:
    to, since = "+4930123450006", datetime.now(UTC)
    for _ in range(2):
        asyncio.run(trunk_at(twilio.url).dial(a_dial(to)))
    trace = asyncio.run(trunk_at(twilio.url).trace(a_dial(to), None, since))
    assert trace.presence is Presence.ABSENT


@pytest.mark.parametrize("first", [None, ""])
def test_no_call_is_taken_for_one_whose_numbers_nobody_knows(
    twilio: Twilio, first: str | None
) -> None:
    to, since = "+4930123450009", datetime.now(UTC)
    asyncio.run(trunk_at(twilio.url).dial(a_dial(to)))
    forgotten = Dial(uuid4(), "" if first is None else to, first)
    trace = asyncio.run(trunk_at(twilio.url).trace(forgotten, None, since))
    assert (trace.presence, trace.events) == (Presence.ABSENT, ())


def test_what_is_not_there_after_a_while_may_have_been_dialled_all_the_same(
    trunk: TwilioTrunk,
) -> None:
    long_ago = datetime.now(UTC) - SETTLED
    trace = asyncio.run(trunk.trace(a_dial("+4930123450007"), None, long_ago))
    assert trace.presence is Presence.ABSENT


def test_a_refusal_says_why_without_the_number(trunk: TwilioTrunk) -> None:
    dial = Dial(uuid4(), "+4930123450008", caller_id="+15550000000")
    with pytest.raises(ProviderRejected, match=r"not owned by this account \(21210\)") as refused:
        asyncio.run(trunk.dial(dial))
    assert "15550000000" not in str(refused.value)


def test_health_tells_whether_the_account_may_call(twilio: Twilio, trunk: TwilioTrunk) -> None:
    health = asyncio.run(trunk.check())
    assert (health.is_connected, dict(health.gateways)) == (True, {"twilio": True})
    stranger = asyncio.run(trunk_at(twilio.url, token="wrong").check())
    assert not stranger.is_connected
