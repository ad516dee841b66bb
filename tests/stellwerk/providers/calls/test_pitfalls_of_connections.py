"""Pitfalls 10 to 13 of a real switch: replies, connections lost and refused, odd answers.

The numbers are those of tests/data/freeswitch/README.md.
"""

import asyncio
from datetime import UTC, datetime

import pytest

from listening import in_a_loop, listening, until
from recorded_calls import (
    CALL,
    DIAL,
    dialled,
    ids_of,
    settled,
    socket_at,
    trunk_at,
    whole_id,
)
from recordings import received, sent
from replay import HELD, replaying
from stellwerk.errors import ProviderDeferred
from stellwerk.providers.calls.freeswitch.connection import connect
from stellwerk.providers.calls.freeswitch.dial_strings import DialPlan, job_of, originate
from stellwerk.providers.calls.freeswitch.framing import (
    REPLIES,
    Frame,
    Framer,
)
from stellwerk.providers.calls.protocol import EventKind, Presence

HUNG_UP, REFUSED, ANSWERED = EventKind.HUNG_UP, EventKind.REFUSED, EventKind.ANSWERED
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def frames_of(name: str) -> list[Frame]:
    framer = Framer()
    return [frame for piece in received(name) for frame in framer.feed(piece)]


@in_a_loop
async def test_10_replies_belong_to_commands_in_their_order() -> None:
    name = "20_pipelined_commands"
    lines = b"".join(sent(name)).decode().split("\n\n")[1:-2]
    async with replaying(name) as switch:
        connection = await connect(socket_at(switch.port), lambda _: None)
        asked = [asyncio.ensure_future(connection.command(line)) for line in lines]
        answers = [reply.text for reply in await asyncio.gather(*asked)]
        connection.end("done")
    recorded = [frame.text for frame in frames_of(name) if frame.kind in REPLIES]
    assert answers == recorded[1:-1]
    assert len(lines) == 5


@in_a_loop
async def test_10_who_stops_waiting_does_not_shift_the_replies_of_others() -> None:
    async with replaying("05_originate_success") as switch:
        connection = await connect(socket_at(switch.port), lambda _: None)
        impatient = asyncio.ensure_future(connection.command("event plain ALL"))
        await asyncio.sleep(0)
        impatient.cancel()
        reply = await connection.command("bgapi originate x")
        connection.end("done")
    assert reply.text.startswith("+OK Job-UUID: ")


def test_10_no_command_makes_the_connection_deaf() -> None:
    """As `api originate` does until somebody answers (18_sync_api_originate_blocks)."""
    assert originate(DIAL, DialPlan())[0].startswith("bgapi ")


@in_a_loop
async def test_11_a_call_outlives_its_connection_and_is_found_again() -> None:
    name = "23b_disconnect_and_reconnect_2"
    old = "0fae0ae4-cd0f-4c1d-80f4-08b664d8ef61"
    async with replaying(name, ids={old: str(CALL)}) as switch:
        trunk = trunk_at(switch.port)
        async with listening(trunk) as heard:
            assert await trunk._switch.api(f"uuid_exists {CALL}") == "true"  # noqa: SLF001  its own socket
            await trunk._switch.api("show channels as json")  # noqa: SLF001  its own socket
            trace = await trunk.trace(DIAL, None, NOW)
            for line in ("uuid_getvar x y", "uuid_getvar x z", "show calls count"):
                await trunk._switch.api(line)  # noqa: SLF001  its own socket
            end = await heard.until_kind(HUNG_UP)
    assert trace.presence is Presence.LIVE
    assert [event.kind for event in trace.events] == [EventKind.CREATED, EventKind.RINGING]
    assert {event.key for event in trace.events} == {"to:created", "to:ringing"}
    assert (end.cause, end.billable_s) == ("NORMAL_CLEARING", 3)


@in_a_loop
async def test_11_a_failed_job_of_another_connection_ends_the_call_but_is_not_refused() -> None:
    """Its channel's events may have gone unheard: nobody may say that nothing was dialled."""
    name = "08_invalid_gateway"
    async with dialled(name) as (heard, trunk, _):
        call = trunk._calls.call(CALL)  # noqa: SLF001  its own socket
        assert call is not None
        call.generation -= 1
        end = await heard.until_kind(HUNG_UP)
    assert (end.cause, REFUSED in heard.kinds()) == ("INVALID_GATEWAY", False)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("02_auth_fail", "The switch refuses the password"),
        ("28_acl_rejected", "The switch refuses connections from this address"),
    ],
)
@in_a_loop
async def test_12_who_is_not_let_in_says_why_and_tries_again(name: str, reason: str) -> None:
    async with replaying(name) as switch:
        trunk = trunk_at(switch.port)
        async with listening(trunk, connects=False) as heard:
            await until(lambda: switch.connections > 2)
            health = await trunk.check()
            with pytest.raises(ProviderDeferred):
                await trunk.dial(DIAL)
    assert (health.is_connected, health.message, heard.connections) == (False, reason, 0)


@in_a_loop
async def test_12_a_killed_switch_is_a_bare_end_of_file_and_is_found_again() -> None:
    async with replaying("27_server_killed", answers={}) as switch:
        trunk = trunk_at(switch.port)
        async with listening(trunk) as heard:
            await trunk.dial(DIAL)
            await heard.until(lambda now: now.connections == 2)
    subscriptions = [line for line in switch.heard if line.startswith(b"event plain")]
    assert len(subscriptions) == 2


@in_a_loop
async def test_12_a_shutdown_ends_its_calls_and_then_says_goodbye() -> None:
    name = "26_server_shutdown"
    ids = {whole_id(name, "f6d2e9d7-"): str(CALL), whole_id(name, "695f3baf-"): str(job_of(CALL))}
    async with replaying(name, ids=ids) as switch:
        trunk = trunk_at(switch.port)
        async with listening(trunk) as heard:
            await trunk.dial(DIAL)
            await trunk._switch.api("fsctl shutdown")  # noqa: SLF001  its own socket
            end = await heard.until_kind(HUNG_UP)
            await until(lambda: "shut down" in trunk._switch.trouble)  # noqa: SLF001  its own socket
    assert end.cause == "SYSTEM_SHUTDOWN"


@in_a_loop
async def test_13_hanging_up_twice_is_no_error_and_absent_is_absent() -> None:
    name = "09_uuid_kill"
    said = b"-ERR No such channel!\n"
    gone = {b"api uuid_kill": said, b"api uuid_dump": said}
    async with dialled(name, answers=HELD | gone) as (heard, trunk, _):
        await heard.until_kind(ANSWERED)
        await trunk.hang_up(CALL, None)
        await heard.until_kind(HUNG_UP)
        await trunk.hang_up(CALL, None)
        assert await trunk._switch.api(f"uuid_exists {CALL}") == "false"  # noqa: SLF001  its own socket
        trace = await trunk.trace(DIAL, None, NOW)
    assert (trace.presence, trace.events) == (Presence.ABSENT, ())


@in_a_loop
async def test_13_a_call_that_is_hung_up_before_it_has_a_channel_is_so_once_it_has_one() -> None:
    name = "13_sip_1002"
    gone = {b"api uuid_kill": b"-ERR No such channel!\n"}
    async with replaying(name, ids=ids_of(name), answers=gone) as switch:
        trunk = trunk_at(switch.port)
        async with listening(trunk) as heard:
            hanging_up = asyncio.ensure_future(trunk.dial(DIAL))
            await asyncio.sleep(0)
            await trunk.hang_up(CALL, None)
            await hanging_up
            await heard.until_kind(EventKind.CREATED)
            await settled(trunk)
    assert switch.heard.count(f"api uuid_kill {CALL}\n\n".encode()) == 2
