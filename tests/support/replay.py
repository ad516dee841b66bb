"""A switch that answers what a real one answered: a recording played over a real socket.

Each piece that was received goes out as it came, in a segment of its own; each command that was
sent is waited for. The recording's ids can be replaced by those of a test, which are as long.
Commands that the recording does not have are answered from `answers`, by how they begin.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from recordings import Block, What, recording

HELD = {b"api uuid_exists": b"false", b"api strepoch": b"1795313094"}


@dataclass(slots=True)
class Replay:
    """One recording, played anew to each client that connects."""

    name: str
    ids: Mapping[str, str] = field(default_factory=dict)  # of the recording: in their place
    answers: Mapping[bytes, bytes] = field(default_factory=lambda: dict(HELD))
    stays: bool = True  # open after the last block, unless the recording's switch closed
    skipped: int = 0  # so many of its first calls are left out
    piece_bytes: int = 0  # cut anew into pieces of so many bytes; 0: as it was recorded
    heard: list[bytes] = field(default_factory=list)  # complete commands
    port: int = 0
    connections: int = 0
    playing: set[asyncio.Task[None]] = field(default_factory=set)

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somebody connects."""
        self.playing.add(asyncio.create_task(self.serve(reader, writer)))

    async def end(self) -> None:
        """Leave no connection to the end of the event loop."""
        for task in self.playing:
            task.cancel()
        await asyncio.gather(*self.playing, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Play to one client."""
        self.connections += 1
        try:
            await self._play(reader, writer)
            if self.stays:
                while True:
                    await self._answer(await self._command(reader), writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for block in self._blocks():
            if block.what is What.SEND and block.data != b"exit\n\n":
                await self._wait_for(block.data, reader, writer)
            elif block.data == b"exit\n\n":
                return
            elif block.what is What.RECV:
                await self._send(block.data, writer)
            elif block.what is What.EOF:
                self.stays = False

    def _blocks(self) -> Iterator[Block]:
        calls = 0
        for block in self._with_ids():
            calls += block.what is What.SEND and block.data.startswith(b"bgapi originate")
            if calls == 0 or calls > self.skipped:
                yield block

    async def _wait_for(
        self, recorded: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One command for each that was sent; others are answered meanwhile."""
        for verb in _verbs(recorded):
            while not (command := await self._command(reader)).startswith(verb):
                await self._answer(command, writer)

    async def _command(self, reader: asyncio.StreamReader) -> bytes:
        command = await reader.readuntil(b"\n\n")
        self.heard.append(command)
        return command

    async def _answer(self, command: bytes, writer: asyncio.StreamWriter) -> None:
        for start, body in self.answers.items():
            if command.startswith(start):
                head = b"Content-Type: api/response\nContent-Length: %d\n\n" % len(body)
                await self._send(head + body, writer)
                return
        raise ConnectionError(f"{self.name} holds no answer to {command!r}.")

    async def _send(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        size = self.piece_bytes or len(data)
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await writer.drain()
            await asyncio.sleep(0.0005)  # lets the client read each piece by itself

    def _with_ids(self) -> Iterator[Block]:
        """An id may be cut in two by the network, so they are replaced in the whole."""
        stream, place = b"".join(block.data for block in recording(self.name)), 0
        for old, new in self.ids.items():
            stream = stream.replace(old.encode(), new.encode())
        for block in recording(self.name):
            yield replace(block, data=stream[place : place + len(block.data)])
            place += len(block.data)


def _verbs(recorded: bytes) -> list[bytes]:
    """How the commands of one write begin: `api uuid_kill`, `bgapi originate`, `auth` ..."""
    commands = [command for command in recorded.split(b"\n\n") if command]
    return [
        b" ".join(command.split()[: 2 if command.startswith((b"api", b"bgapi")) else 1])
        for command in commands
    ]


@asynccontextmanager
async def replaying(name: str, **given: object) -> AsyncIterator[Replay]:
    """A recording, played at `port` of the loopback interface."""
    replay = Replay(name, **given)  # type: ignore[arg-type]  # its own fields
    server = await asyncio.start_server(replay.take, "127.0.0.1", 0)
    replay.port = server.sockets[0].getsockname()[1]
    try:
        yield replay
    finally:
        server.close()
        await replay.end()
