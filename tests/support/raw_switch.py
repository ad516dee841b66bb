"""A client of the event socket that knows nothing but its framing, for tests of the simulator."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import unquote

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Frame:
    """One frame as it came: its own headers, its body."""

    headers: dict[str, str]
    body: str

    @property
    def kind(self) -> str:
        return self.headers.get("Content-Type", "")

    @property
    def text(self) -> str:
        """What a reply says, else the body."""
        return self.headers.get("Reply-Text", self.body)

    @property
    def event(self) -> dict[str, str]:
        """An event's headers; its body as `_body`."""
        if self.kind == "text/event-json":
            return {name: str(value) for name, value in json.loads(self.body).items()}
        head, _, body = self.body.partition("\n\n")
        pairs = (line.partition(": ") for line in head.split("\n"))
        return {name: unquote(value) for name, _, value in pairs} | {"_body": body}


@dataclass
class Frames:
    """Bytes cut into frames, however they arrived."""

    rest: bytes = b""
    found: list[Frame] = field(default_factory=list)

    def feed(self, data: bytes) -> list[Frame]:
        self.rest += data
        fresh: list[Frame] = []
        while (frame := self._next()) is not None:
            fresh.append(frame)
        self.found += fresh
        return fresh

    def _next(self) -> Frame | None:
        head, blank, rest = self.rest.partition(b"\n\n")
        if not blank:
            return None
        pairs = (line.partition(": ") for line in head.decode().split("\n"))
        headers = {name: value for name, _, value in pairs}
        length = int(headers.get("Content-Length", "0"))
        if len(rest) < length:
            return None
        self.rest = rest[length:]
        return Frame(headers, rest[:length].decode())


class RawClient:
    """Sends bytes and reads frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.frames = Frames()
        self._unread: list[Frame] = []
        self.is_ended = False

    def send(self, text: str | bytes) -> None:
        self._writer.write(text.encode() if isinstance(text, str) else text)

    async def next(self, within_s: float = PATIENCE_S) -> Frame | None:
        """The next frame; None at the connection's end or after the time."""
        try:
            async with asyncio.timeout(within_s):
                while not self._unread and not self.is_ended:
                    data = await self._reader.read(65_536)
                    self.is_ended = not data
                    self._unread += self.frames.feed(data)
        except TimeoutError:
            return None
        return self._unread.pop(0) if self._unread else None

    async def answer(self, command: str, within_s: float = PATIENCE_S) -> str:
        """The text of the next frame that is no event."""
        self.send(f"{command}\n\n")
        while (frame := await self.next(within_s)) is not None:
            if not frame.kind.startswith("text/event"):
                return frame.text
        raise AssertionError(f"no answer to {command.partition(' ')[0]}")

    async def event(self, name: str, within_s: float = PATIENCE_S, **wanted: str) -> dict[str, str]:
        """The next event of this name whose headers have these values; others are passed over."""
        while (frame := await self.next(within_s)) is not None:
            if frame.kind.startswith("text/event"):
                event = frame.event
                matches = all(event.get(key.replace("_", "-")) == wanted[key] for key in wanted)
                if event.get("Event-Name") == name and matches:
                    return event
        raise AssertionError(f"no {name} came")

    async def rest(self, within_s: float) -> list[Frame]:
        """All that comes until so long nothing does, or the connection ends."""
        found = []
        while (frame := await self.next(within_s)) is not None:
            found.append(frame)
        return found

    async def close(self) -> None:
        """Let nothing of it outlive the event loop."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._writer.wait_closed()


@asynccontextmanager
async def connected(
    port: int, password: str | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[RawClient]:
    """A connection; with a password, one that is let in."""
    client = RawClient(*await asyncio.open_connection(host, port))
    try:
        if password is not None:
            assert (await client.next()) is not None
            assert await client.answer(f"auth {password}") == "+OK accepted"
        yield client
    finally:
        await client.close()
