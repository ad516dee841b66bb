"""The simulator holds every recorded conversation as the real switch held it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from time import monotonic

import pytest

from raw_switch import PATIENCE_S, Frame, Frames, RawClient, connected
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
BEAT_S, LATE_S, TRIES = 0.01, 0.04, 10
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
            frame = await client.next()
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


def is_same(talk: Conversation) -> bool:
    try:
        assert_same(talk)
    except AssertionError:
        return False
    return True


def ends(blocks: Sequence[Block]) -> bool:
    return blocks[-1].what is What.EOF


@asynccontextmanager
async def pulse() -> AsyncIterator[list[float]]:
    """By how many seconds the event loop came too late."""
    late: list[float] = []

    async def beat() -> None:
        while True:
            before = monotonic()
            await asyncio.sleep(BEAT_S)
            late.append(monotonic() - before - BEAT_S)

    beating = asyncio.create_task(beat())
    try:
        yield late
    finally:
        beating.cancel()


def held_in_time(hold: Callable[[], Coroutine[None, None, list[Conversation]]]) -> None:
    """Hold conversations again where the machine stood still: a call of 3 s is over in 0.15 s."""

    async def scene() -> tuple[list[Conversation], float]:
        async with pulse() as late:
            return await hold(), max(late, default=0.0)

    for _ in range(TRIES):
        talks, late_s = asyncio.run(scene())
        if late_s < LATE_S or all(map(is_same, talks)):
            break
    for talk in talks:
        assert_same(talk)


@pytest.mark.parametrize("name", ALONE)
def test_a_conversation_goes_as_it_was_recorded(name: str) -> None:
    options = replace(OPTIONS, is_denying=name == "28_acl_rejected")

    async def scene() -> list[Conversation]:
        talk = Conversation(name)
        async with serving(options) as switch, connected(switch.port) as client:
            await talk.hold(client)
            if ends(recording(name)) and name != "27_server_killed":
                assert not await client.rest(within_s=PATIENCE_S)
                assert client.is_ended
        return [talk]

    held_in_time(scene)


def test_a_call_is_found_again_by_a_new_connection_as_it_was_recorded() -> None:
    async def scene() -> list[Conversation]:
        first, second = map(Conversation, RECONNECTED)
        async with serving(OPTIONS) as switch:
            async with connected(switch.port) as client:
                await first.hold(client)
            await asyncio.sleep(0.05)  # what lay between the two connections of the recording
            async with connected(switch.port) as client:
                await second.hold(client)
        return [first, second]

    held_in_time(scene)
