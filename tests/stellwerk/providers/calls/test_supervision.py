"""A connection that is lost, half dead or deaf is noticed, and there is a new one by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from time import monotonic

import pytest

from listening import in_a_loop, listening, until
from recorded_calls import CALL, DIAL, trunk_at
from replay import replaying
from stellwerk.errors import ProviderDeferred, ProviderUnavailable
from stellwerk.providers.calls.freeswitch.events import SUBSCRIBED

GREETING = b"Content-Type: auth/request\n\n"
OK = b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
STREPOCH = b"Content-Type: api/response\nContent-Length: 1\n\n1"


@dataclass
class Peer:
    """A switch of few words: it signs in whoever comes, and then does as it is told."""

    then: Callable[["Peer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    greets: bool = True
    heard: list[bytes] = field(default_factory=list)
    came_at: list[float] = field(default_factory=list)
    port: int = 0
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came_at.append(monotonic())
        self.serving.add(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            if self.greets:
                writer.write(GREETING)
                for _ in ("auth", "event"):
                    self.heard.append(await reader.readuntil(b"\n\n"))
                    writer.write(OK)
            await self.then(self, reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def end(self) -> None:
        for task in self.serving:
            task.cancel()
        await asyncio.gather(*self.serving, return_exceptions=True)


@asynccontextmanager
async def peer(
    then: Callable[[Peer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    *,
    greets: bool = True,
) -> AsyncIterator[Peer]:
    it = Peer(then, greets)
    server = await asyncio.start_server(it.take, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        await it.end()


async def close(_: Peer, __: asyncio.StreamReader, ___: asyncio.StreamWriter) -> None:
    return


async def say_nothing(_: Peer, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    while await reader.read(1000):
        pass


async def read_nothing(_: Peer, __: asyncio.StreamReader, ___: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def answer(it: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        it.heard.append(await reader.readuntil(b"\n\n"))
        writer.write(STREPOCH)


@in_a_loop
async def test_it_signs_in_and_subscribes_again_after_each_loss() -> None:
    async with peer(close) as switch, listening(trunk_at(switch.port)) as heard:
        await heard.until(lambda now: now.connections >= 3)
    signing_in = [b"auth ClueCon\n\n", f"event plain {' '.join(SUBSCRIBED)}\n\n".encode()]
    assert switch.heard[:6] == signing_in * 3


@in_a_loop
async def test_the_pauses_grow_with_each_failure_and_are_not_all_alike() -> None:
    async with peer(close) as switch:
        trunk = trunk_at(switch.port, first_retry_s=0.02, longest_retry_s=0.32, steady_s=600)
        async with listening(trunk):
            await until(lambda: len(switch.came_at) >= 7)
    pauses = [later - sooner for sooner, later in pairwise(switch.came_at)]
    assert pauses[0] >= 0.02
    assert pauses[3] >= 0.16
    assert pauses[5] >= 0.16
    assert len({round(pause, 4) for pause in pauses}) > 3


@in_a_loop
async def test_a_peer_that_never_greets_is_left() -> None:
    async with peer(say_nothing, greets=False) as switch:
        trunk = trunk_at(switch.port, timeout_s=0.05)
        async with listening(trunk, connects=False):
            await until(lambda: len(switch.came_at) >= 3)
            await until(lambda: "no answer within" in trunk._switch.trouble)  # noqa: SLF001  its own socket
            assert not (await trunk.check()).is_connected


@in_a_loop
async def test_a_switch_that_is_not_there_is_tried_again() -> None:
    async with peer(close) as switch:
        port = switch.port
    trunk = trunk_at(port)
    async with listening(trunk, connects=False):
        await until(lambda: "cannot be reached" in trunk._switch.trouble)  # noqa: SLF001  its own socket
        health = await trunk.check()
        with pytest.raises(ProviderDeferred):
            await trunk.dial(DIAL)
        with pytest.raises(ProviderUnavailable):
            await trunk.hang_up(CALL, None)
    assert not health.is_connected
    assert "cannot be reached" in health.message


@in_a_loop
async def test_a_connection_of_which_nothing_is_heard_is_asked_and_given_up() -> None:
    """As where a firewall forgot it: no end of file ever comes."""
    async with peer(say_nothing) as switch:
        trunk = trunk_at(switch.port, timeout_s=0.05, silence_s=0.05)
        async with listening(trunk) as heard:
            await heard.until(lambda now: now.connections >= 2)


@in_a_loop
async def test_a_connection_that_answers_but_tells_no_events_is_given_up() -> None:
    async with peer(answer) as switch:
        trunk = trunk_at(switch.port, silence_s=0.02, heartbeats_s=0.2)
        async with listening(trunk) as heard:
            await heard.until(lambda now: now.connections >= 2)
            await until(lambda: switch.heard.count(b"api strepoch\n\n") >= 2)


@in_a_loop
async def test_heartbeats_keep_a_connection() -> None:
    held = {b"api strepoch": b"1"}
    async with replaying("14_heartbeat", answers=held) as switch:
        trunk = trunk_at(switch.port, silence_s=0.02, heartbeats_s=30)
        async with listening(trunk) as heard:
            await until(lambda: switch.heard.count(b"api strepoch\n\n") >= 5)
    assert (heard.connections, switch.connections) == (1, 1)


@pytest.mark.parametrize("deaf", [say_nothing, read_nothing])
@in_a_loop
async def test_a_command_without_an_answer_leaves_in_doubt_whether_it_was_done(
    deaf: Callable[..., Awaitable[None]],
) -> None:
    async with peer(deaf) as switch:
        trunk = trunk_at(switch.port, timeout_s=0.1)
        async with listening(trunk) as heard:
            with pytest.raises(ProviderUnavailable) as told:
                await trunk.dial(DIAL)
            await heard.until(lambda now: now.connections >= 2)
    assert not isinstance(told.value, ProviderDeferred)


@in_a_loop
async def test_a_connection_that_ends_under_a_command_leaves_it_in_doubt() -> None:
    async def hang(it: Peer, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        it.heard.append(await reader.readuntil(b"\n\n"))

    async with peer(hang) as switch:
        trunk = trunk_at(switch.port)
        async with listening(trunk):
            with pytest.raises(ProviderUnavailable) as told:
                await trunk.dial(DIAL)
    assert not isinstance(told.value, ProviderDeferred)


@in_a_loop
async def test_what_is_no_event_socket_is_left() -> None:
    async def speak(_: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Content-Length: nonsense\n\n")
        await reader.read()

    async with peer(speak) as switch, listening(trunk_at(switch.port), connects=False):
        await until(lambda: len(switch.came_at) >= 2)


@in_a_loop
async def test_a_reply_to_no_command_ends_what_can_no_longer_be_understood() -> None:
    async def speak(_: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await reader.read()

    async with peer(speak) as switch, listening(trunk_at(switch.port)) as heard:
        await heard.until(lambda now: now.connections >= 2)
