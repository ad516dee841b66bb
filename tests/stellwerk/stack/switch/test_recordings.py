"""The simulator holds every recorded conversation as the real switch held it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from raw_switch import Frame, Frames, RawClient, connected
from recordings import NAMES, Block, What, recording, sent
from stellwerk.stack.switch.exchange import Options
from stellwerk.stack.switch.server import serving
from switch_shapes import shape_of

OPTIONS = Options(password="ClueCon", speed=20)
THROTTLED = {"22_throttle_sessions_per_second", "22b_throttle_sip"}  # test_throttle.py
# The second is what a new connection hears of the first one's call.
RECONNECTED = ("23_disconnect_and_reconnect_1", "23b_disconnect_and_reconnect_2")
# Ends of calls of the recording before, which its switch was still hanging up.
STRAYS = {
    "12_injection_blank_line": {"loopback/1002-b"},
    "25f_hupall_by_variable": {"99a4e20f-bed8-420e-b9dd-d04a199f266d"},
}
ALONE = sorted(set(NAMES) - THROTTLED - set(RECONNECTED))


@dataclass
class Conversation:
    """One recording, driven against a simulator."""

    name: str
    frames: list[Frame] = field(default_factory=list)

    @property
    def is_about_heartbeats(self) -> bool:
        return self.name == "14_heartbeat"

    def counts(self, frame: Frame) -> bool:
        """Whether a frame belongs to the conversation; heartbeats come when they come."""
        if not frame.kind.startswith("text/event"):
            return True
        event = frame.event
        strays = STRAYS.get(self.name, set())
        if strays & {event.get("Unique-ID"), event.get("Channel-Name")}:
            return False
        return self.is_about_heartbeats or event["Event-Name"] != "HEARTBEAT"

    async def hold(self, client: RawClient) -> None:
        """Send each command once as much has come back as had in the recording."""
        expected = 0
        recorded = Frames()
        for block in recording(self.name):
            if block.what is What.SEND:
                await self._hear(client, expected)
                client.send(block.data)
            elif block.what is What.RECV:
                expected += sum(map(self.counts, recorded.feed(block.data)))
        await self._hear(client, expected)

    async def _hear(self, client: RawClient, expected: int) -> None:
        while len(self.frames) < expected:
            frame = await client.next(within_s=8)
            if frame is None:
                return
            if self.counts(frame):
                self.frames.append(frame)

    def recorded(self) -> list[Frame]:
        frames = Frames()
        for block in recording(self.name):
            if block.what is What.RECV:
                frames.feed(block.data)
        return [frame for frame in frames.found if self.counts(frame)]


def assert_same(talk: Conversation) -> None:
    commands = sent(talk.name)
    assert shape_of(talk.frames, commands) == shape_of(talk.recorded(), commands)


def ends(blocks: Sequence[Block]) -> bool:
    return blocks[-1].what is What.EOF


@pytest.mark.parametrize("name", ALONE)
def test_a_conversation_goes_as_it_was_recorded(name: str) -> None:
    talk = Conversation(name)
    options = replace(OPTIONS, is_denying=name == "28_acl_rejected")

    async def scene() -> None:
        async with serving(options) as switch, connected(switch.port) as client:
            await talk.hold(client)
            if ends(recording(name)) and name != "27_server_killed":
                assert not await client.rest(within_s=5)
                assert client.is_ended

    asyncio.run(scene())
    assert_same(talk)


def test_a_call_is_found_again_by_a_new_connection_as_it_was_recorded() -> None:
    first, second = map(Conversation, RECONNECTED)

    async def scene() -> None:
        async with serving(OPTIONS) as switch:
            async with connected(switch.port) as client:
                await first.hold(client)
            await asyncio.sleep(0.05)  # what lay between the two connections of the recording
            async with connected(switch.port) as client:
                await second.hold(client)

    asyncio.run(scene())
    assert_same(first)
    assert_same(second)
