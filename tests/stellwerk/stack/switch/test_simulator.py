"""The simulator's own promises: what tests of others rely on."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4
from xml.etree import ElementTree as ET

from raw_switch import RawClient, connected
from stellwerk.stack.switch.diary import dials_in
from stellwerk.stack.switch.exchange import Options
from stellwerk.stack.switch.server import serving

PASSWORD = "let-me-in"  # noqa: S105  of a throw-away simulator
FAST = Options(password=PASSWORD, speed=20)


def test_a_call_goes_on_without_the_connection_that_began_it() -> None:
    async def scene() -> None:
        call = str(uuid4())
        async with serving(FAST) as switch:
            async with connected(switch.port, PASSWORD) as first:
                dialling = f"{{origination_uuid={call}}}sofia/gateway/trunk/+493012341010 &park()"
                await first.answer("event plain CHANNEL_ANSWER")
                await first.answer(f"bgapi originate {dialling}")
                await first.event("CHANNEL_ANSWER", Unique_ID=call)
            async with connected(switch.port, PASSWORD) as second:
                await second.answer("event json CHANNEL_HANGUP_COMPLETE")
                channels = json.loads(await second.answer("api show channels as json"))
                assert call in {row["uuid"] for row in channels["rows"]}
                assert await second.answer(f"api uuid_exists {call}") == "true"
                assert await second.answer(f"api uuid_kill {call}") == "+OK\n"
                ended = await second.event("CHANNEL_HANGUP_COMPLETE", Unique_ID=call)
                assert ended["Hangup-Cause"] == "NORMAL_CLEARING"
                assert await second.answer(f"api uuid_exists {call}") == "false"

    asyncio.run(scene())


def test_every_number_that_is_dialled_is_counted_and_survives_a_kill(tmp_path: Path) -> None:
    options = Options(password=PASSWORD, speed=20, folder=tmp_path)

    async def scene() -> None:
        async with serving(options) as switch, connected(switch.port, PASSWORD) as client:
            await client.answer("event plain BACKGROUND_JOB")
            for target in ("sofia/gateway/trunk/+4930111001", "loopback/+4930111001/default"):
                await client.answer(f"bgapi originate {target} &park()")
                await client.event("BACKGROUND_JOB")
            for target in ("sofia/gateway/downtrunk/1000", "sofia/gateway/deadtrunk/1000"):
                await client.answer(f"bgapi originate {target} &park()")
                await client.event("BACKGROUND_JOB")
            assert json.loads(await client.answer("api simulator dials")) == {"+4930111001": 2}
        async with serving(options) as switch, connected(switch.port, PASSWORD) as client:
            assert json.loads(await client.answer("api simulator dials")) == {"+4930111001": 2}

    asyncio.run(scene())
    assert dials_in(tmp_path) == {"+4930111001": 2}


def test_every_byte_that_is_received_is_written_down_but_the_password(tmp_path: Path) -> None:
    async def scene() -> None:
        options = Options(password=PASSWORD, folder=tmp_path)
        async with serving(options) as switch, connected(switch.port, PASSWORD) as client:
            await client.answer("api strepoch")
            assert "api strepoch\n\n" in await client.answer("api simulator received")

    asyncio.run(scene())
    written = (tmp_path / "received.log").read_text()
    assert written == "auth ***\n\napi strepoch\n\napi simulator received\n\n"


def test_a_call_of_three_seconds_is_billed_as_three_whatever_the_speed() -> None:
    async def scene() -> str:
        async with serving(FAST) as switch, connected(switch.port, PASSWORD) as client:
            await client.answer("event plain CHANNEL_HANGUP_COMPLETE")
            await client.answer("bgapi originate sofia/gateway/trunk/+493012341000 &park()")
            ended = await client.event("CHANNEL_HANGUP_COMPLETE", Call_Direction="outbound")
            return ended["variable_billsec"]

    assert asyncio.run(scene()) == "3"


def test_a_number_of_nobody_in_particular_rings_and_is_answered() -> None:
    async def scene() -> None:
        async with serving(FAST) as switch, connected(switch.port, PASSWORD) as client:
            await client.answer("event plain CHANNEL_PROGRESS CHANNEL_ANSWER")
            await client.answer("bgapi originate sofia/gateway/trunk/+4917012345678 &park()")
            for name in ("CHANNEL_PROGRESS", "CHANNEL_ANSWER"):
                await client.event(name, Call_Direction="outbound")

    asyncio.run(scene())


def test_a_recorded_call_leaves_a_sound_file(tmp_path: Path) -> None:
    path = tmp_path / "calls" / "one.wav"

    async def scene() -> None:
        async with serving(FAST) as switch, connected(switch.port, PASSWORD) as client:
            await client.answer("event plain RECORD_STOP CHANNEL_HANGUP_COMPLETE")
            steps = f"'record_session:{path},park:' inline"
            await client.answer(f"bgapi originate sofia/gateway/trunk/+493012341000 {steps}")
            assert (await client.event("RECORD_STOP"))["Record-File-Path"] == str(path)
            await client.event("CHANNEL_HANGUP_COMPLETE", Call_Direction="outbound")

    asyncio.run(scene())
    assert path.read_bytes()[:4] == b"RIFF"


def test_a_gateway_can_be_taken_down_and_put_up_again() -> None:
    async def scene() -> None:
        async with serving(FAST) as switch, connected(switch.port, PASSWORD) as client:
            for state, shown in (("down", "DOWN"), ("up", "UP")):
                assert await client.answer(f"api simulator gateway trunk {state}") == "+OK\n"
                status = await client.answer("api sofia status gateway trunk")
                assert f"Status  \t{shown}" in status
            assert await client.answer("api sofia status gateway nope") == "Invalid Gateway!\n"

    asyncio.run(scene())


def test_it_says_that_it_is_a_simulator() -> None:
    async def scene() -> None:
        async with serving(FAST) as switch, connected(switch.port, PASSWORD) as client:
            assert "simulator" in await client.answer("api version")
            assert "simulator" in await client.answer("api status")
            await client.answer("event plain BACKGROUND_JOB")
            await client.answer("bgapi status")
            event = await client.event("BACKGROUND_JOB")
            assert event["FreeSWITCH-Switchname"] == "simulator"

    asyncio.run(scene())


async def told_as_xml(client: RawClient) -> ET.Element:
    """The next event, which comes as XML."""
    frame = await client.next()
    assert frame is not None
    assert frame.kind == "text/event-xml"
    return ET.fromstring(frame.body)  # noqa: S314  of a simulator in this process


def test_one_channels_events_alone_are_heard_as_xml_and_a_message_hangs_it_up() -> None:
    async def scene() -> None:
        call, other = str(uuid4()), str(uuid4())
        async with (
            serving(FAST) as switch,
            connected(switch.port, PASSWORD) as dialling,
            connected(switch.port, PASSWORD) as hearing,
        ):
            await dialling.answer("event plain CHANNEL_ANSWER CHANNEL_DESTROY")
            for one in (call, other):
                target = f"{{origination_uuid={one}}}sofia/gateway/trunk/+493012341010 &park()"
                await dialling.answer(f"bgapi originate {target}")
                await dialling.event("CHANNEL_ANSWER", Unique_ID=one)

            assert await hearing.answer(f"myevents {uuid4()} xml") == "-ERR invalid uuid"
            assert await hearing.answer(f"myevents {call} xml") == "+OK Events Enabled"
            assert await hearing.answer(f"myevents {call}") == "-ERR aready enabled."
            for one in (other, call):
                message = f"sendmsg {one}\ncall-command: hangup\nhangup-cause: USER_BUSY"
                assert await dialling.answer(message) == "+OK"
                await dialling.event("CHANNEL_DESTROY", Unique_ID=one)

            events = [await told_as_xml(hearing) for _ in range(3)]
        assert {event.findtext("headers/Unique-ID") for event in events} == {call}
        assert events[0].findtext("headers/Event-Name") == "CHANNEL_HANGUP"
        assert events[0].findtext("headers/Hangup-Cause") == "USER_BUSY"

    asyncio.run(scene())


def test_no_command_is_met_with_silence() -> None:
    async def scene() -> None:
        call = str(uuid4())
        async with serving(FAST) as switch, connected(switch.port, PASSWORD) as client:
            assert await client.answer("event xml BACKGROUND_JOB") == (
                "+OK event listener enabled xml"
            )
            hangup = "call-command: hangup"
            assert await client.answer(f"sendmsg {call}\n{hangup}") == (
                f"-ERR invalid session id [{call}]"
            )
            assert await client.answer(f"sendmsg\n{hangup}") == "-ERR invalid session id []"
            assert await client.answer("divert_events on") == "-ERR not controlling a session."
            assert await client.answer("nonsense") == "-ERR command not found"
            target = f"{{origination_uuid={call}}}loopback/1010/default &park()"
            assert (await client.answer(f"api originate {target}")).startswith("+OK")
            playing = "call-command: execute\nexecute-app-name: playback\nexecute-app-arg: a.wav"
            assert await client.answer(f"sendmsg {call}\n{playing}") == (
                "-ERR not done by the simulator [playback]"
            )
            ending = "call-command: execute\nexecute-app-name: hangup"
            assert await client.answer(f"sendmsg {call}\n{ending}") == "+OK"
            await client.answer("bgapi version")
            done = await told_as_xml(client)
            assert "simulator" in (done.findtext("body") or "")

    asyncio.run(scene())
