"""What the trunk of a FreeSWITCH does, on the simulator and on a real switch where one is named.

`STELLWERK_TEST_ESL=host:port:password` names it; docs/switch_simulator.md says what it needs.
"""

import asyncio
from datetime import UTC, datetime

import pytest

from listening import in_a_loop
from stellwerk.providers.calls.protocol import Dial, EventKind, Leg, Presence
from switches import KINDS, MAY_SHUT_DOWN, REAL, Setting, dial, ended_calls, trunk_on

on_each_switch = pytest.mark.parametrize("kind", KINDS)
# On one switch they would hear each other's calls, and share what it takes in a second.
pytestmark = [pytest.mark.xdist_group("switch")] if REAL else []
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
BURST = 100  # three times what it takes in a second
NOT_HEARD = frozenset({EventKind.RINGING, EventKind.ANSWERED, EventKind.BRIDGED})


async def begin(here: Setting, call: Dial, until: EventKind) -> Dial:
    """Dial, and wait for something to happen to the called party."""
    await here.trunk.dial(call)
    await here.heard.until_kind(until)
    return call


@on_each_switch
@in_a_loop
async def test_an_answered_call_tells_its_stages_and_what_is_billed(kind: str) -> None:
    async with trunk_on(kind) as here:
        call = await begin(here, dial(1005), EventKind.HUNG_UP)
        stages = [EventKind.CREATED, EventKind.RINGING, EventKind.ANSWERED, EventKind.HUNG_UP]
        assert sorted(here.heard.kinds()) == sorted(stages)
        end = here.heard.one(EventKind.HUNG_UP)
        assert (end.call_id, end.cause) == (call.call_id, "NORMAL_CLEARING")
        spoken = end.at - here.heard.one(EventKind.ANSWERED).at
        assert end.billable_s is not None
        assert end.billable_s >= 2
        assert end.billable_s == pytest.approx(spoken.total_seconds() * here.place.speed, abs=1)
        assert here.place.dials(call.to) == 1


@on_each_switch
@pytest.mark.parametrize(
    ("extension", "cause", "rings"),
    [
        pytest.param(1001, "USER_BUSY", False, id="busy"),
        pytest.param(1007, "USER_BUSY", True, id="rings, then busy"),
        pytest.param(1002, "NO_ANSWER", True, id="no answer"),
        pytest.param(1008, "NO_ANSWER", False, id="no answer, no ringing"),
        pytest.param(1011, "NO_ANSWER", True, id="gives up"),
        pytest.param(1003, "UNALLOCATED_NUMBER", False, id="unallocated"),
        pytest.param(1004, "CALL_REJECTED", False, id="rejected"),
        pytest.param(1009, "NORMAL_CIRCUIT_CONGESTION", False, id="congestion"),
    ],
)
@in_a_loop
async def test_a_call_that_nobody_takes_ends_with_its_cause(
    kind: str, extension: int, cause: str, *, rings: bool
) -> None:
    async with trunk_on(kind) as here:
        call = await begin(here, dial(extension), EventKind.HUNG_UP)
        assert here.heard.one(EventKind.HUNG_UP).cause == cause
        assert EventKind.ANSWERED not in here.heard.kinds()
        assert (EventKind.RINGING in here.heard.kinds()) is rings
        assert here.place.dials(call.to) == 1


@on_each_switch
@in_a_loop
async def test_early_media_is_no_answer(kind: str) -> None:
    async with trunk_on(kind) as here:
        await begin(here, dial(1006), EventKind.EARLY_MEDIA)
        assert EventKind.ANSWERED not in here.heard.kinds()
        answer = await here.heard.until_kind(EventKind.ANSWERED)
        assert answer.at > here.heard.one(EventKind.EARLY_MEDIA).at
        await here.heard.until_kind(EventKind.HUNG_UP)


@on_each_switch
@pytest.mark.parametrize(
    ("gateway", "cause"), [("nope", "INVALID_GATEWAY"), ("downtrunk", "GATEWAY_DOWN")]
)
@in_a_loop
async def test_a_gateway_that_cannot_be_used_refuses_without_dialling(
    kind: str, gateway: str, cause: str
) -> None:
    async with trunk_on(kind, gateway) as here:
        await begin(here, dial(1000), EventKind.REFUSED)
        assert here.heard.one(EventKind.REFUSED).cause == cause
        assert here.heard.kinds() == [EventKind.REFUSED]
        assert (await here.trunk.check()).gateways == {gateway: False}


@on_each_switch
@in_a_loop
async def test_a_gateway_at_whose_end_nobody_listens_fails_the_call(kind: str) -> None:
    async with trunk_on(kind, "deadtrunk") as here:
        await begin(here, dial(1000), EventKind.HUNG_UP)
        assert here.heard.one(EventKind.HUNG_UP).cause == "NORMAL_TEMPORARY_FAILURE"
        assert not NOT_HEARD & set(here.heard.kinds())


@on_each_switch
@pytest.mark.parametrize(
    ("extension", "stage"),
    [
        pytest.param(1002, EventKind.RINGING, id="while it rings"),
        pytest.param(1010, EventKind.ANSWERED, id="while it is answered"),
    ],
)
@in_a_loop
async def test_a_call_is_hung_up(kind: str, extension: int, stage: EventKind) -> None:
    async with trunk_on(kind) as here:
        call = await begin(here, dial(extension), stage)
        trace = await here.trunk.trace(call, None, BEGINNING)
        assert trace.presence is Presence.LIVE
        assert stage in {event.kind for event in trace.events}
        await here.trunk.hang_up(call.call_id, None)
        end = await here.heard.until_kind(EventKind.HUNG_UP)
        assert end.cause == "NORMAL_CLEARING"
        await here.trunk.hang_up(call.call_id, None)
        assert (await here.trunk.trace(call, None, BEGINNING)).presence is Presence.ABSENT


@on_each_switch
@in_a_loop
async def test_a_call_lasts_no_longer_than_it_may(kind: str) -> None:
    async with trunk_on(kind) as here:
        await begin(here, dial(1010, max_duration_s=2), EventKind.HUNG_UP)
        assert here.heard.one(EventKind.HUNG_UP).cause == "ALLOTTED_TIMEOUT"
        assert EventKind.ANSWERED in here.heard.kinds()


@on_each_switch
@in_a_loop
async def test_one_party_is_rung_and_then_connected_with_the_other(kind: str) -> None:
    async with trunk_on(kind) as here:
        call = await begin(here, dial(1005, first=1010), EventKind.HUNG_UP)
        await here.heard.until_kind(EventKind.HUNG_UP, Leg.FIRST)
        assert {EventKind.ANSWERED, EventKind.BRIDGED} <= set(here.heard.kinds(Leg.FIRST))
        assert {EventKind.RINGING, EventKind.ANSWERED} <= set(here.heard.kinds(Leg.TO))
        both = [here.heard.one(EventKind.ANSWERED, leg).at for leg in (Leg.FIRST, Leg.TO)]
        assert both == sorted(both)
        assert {event.call_id for event in here.heard.events} == {call.call_id}
        assert here.place.dials(call.to) == 1


@on_each_switch
@in_a_loop
async def test_where_the_other_party_is_busy_both_ends_are_told(kind: str) -> None:
    async with trunk_on(kind) as here:
        await begin(here, dial(1001, first=1010), EventKind.HUNG_UP)
        await here.heard.until_kind(EventKind.HUNG_UP, Leg.FIRST)
        assert here.heard.one(EventKind.HUNG_UP, Leg.TO).cause == "USER_BUSY"
        assert EventKind.ANSWERED not in here.heard.kinds(Leg.TO)


@on_each_switch
@in_a_loop
async def test_a_call_outlives_the_connection_and_is_found_again(kind: str) -> None:
    async with trunk_on(kind) as here:
        call = await begin(here, dial(1010), EventKind.ANSWERED)
        here.cable.cut()
        here.cable.mend()
        await here.heard.until(lambda heard: heard.connections > 1)
        trace = await here.trunk.trace(call, None, BEGINNING)
        assert trace.presence is Presence.LIVE
        told = {event.key for event in here.heard.events}
        assert {event.key for event in trace.events} <= told
        await here.trunk.hang_up(call.call_id, None)
        assert (await here.heard.until_kind(EventKind.HUNG_UP)).call_id == call.call_id
        assert here.place.dials(call.to) == 1


@on_each_switch
@in_a_loop
async def test_a_call_that_ended_unheard_is_absent_after_the_reconnect(kind: str) -> None:
    async with trunk_on(kind) as here:
        call = await begin(here, dial(1010), EventKind.ANSWERED)
        here.cable.cut()
        async with here.place.another_client() as other:
            await other.answer("event plain CHANNEL_DESTROY")
            assert await other.answer(f"api uuid_kill {call.call_id}") == "+OK\n"
            await other.event("CHANNEL_DESTROY", Unique_ID=str(call.call_id))
        here.cable.mend()
        await here.heard.until(lambda heard: heard.connections > 1)
        assert (await here.trunk.trace(call, None, BEGINNING)).presence is Presence.ABSENT
        assert EventKind.HUNG_UP not in here.heard.kinds()


@on_each_switch
@in_a_loop
async def test_more_calls_than_the_switch_takes_are_refused_and_none_is_lost(kind: str) -> None:
    async with trunk_on(kind) as here:
        calls = [dial(1001) for _ in range(BURST)]
        await asyncio.gather(*(here.trunk.dial(call) for call in calls))
        await here.heard.until(lambda heard: len(ended_calls(heard)) == BURST)
        causes = ended_calls(here.heard)
        refused = [event for event in here.heard.events if event.kind is EventKind.REFUSED]
        assert refused
        assert {event.cause for event in refused} == {"DESTINATION_OUT_OF_ORDER"}
        assert set(causes) == {call.call_id for call in calls}
        if here.place.exchange:
            assert here.place.dials(calls[0].to) == BURST - len(refused)


@on_each_switch
@in_a_loop
async def test_a_shutdown_of_the_switch_ends_its_calls_with_that_cause(kind: str) -> None:
    if kind == REAL and not MAY_SHUT_DOWN:
        pytest.skip("STELLWERK_TEST_ESL_MAY_SHUT_DOWN=1 lets this test shut the switch down")
    async with trunk_on(kind) as here:
        await begin(here, dial(1010), EventKind.ANSWERED)
        async with here.place.another_client() as other:
            assert await other.answer("api fsctl shutdown") == "+OK\n"
            end = await here.heard.until_kind(EventKind.HUNG_UP)
            assert end.cause == "SYSTEM_SHUTDOWN"
            assert (await other.rest(within_s=10))[-1].kind == "text/disconnect-notice"
        assert not (await here.trunk.check()).is_connected
