"""One connection to the Event Socket, from its greeting to its end.

Commands go out whole and their replies, which carry no id, come in the order of the commands. A
reply that does not come in time, or a peer that takes nothing, ends the connection: from then on
nothing on it could be understood.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from stellwerk.errors import ProviderDeferred, ProviderRejected, ProviderUnavailable
from stellwerk.providers.calls.freeswitch.framing import (
    EVENTS,
    GREETINGS,
    REPLIES,
    BadFrame,
    Event,
    Frame,
    Framer,
    Kind,
    event_of,
)

_BREAKS = ("\n", "\r", "\0")


@dataclass(frozen=True, slots=True)
class Socket:
    """Where a switch listens and how to be let in; `timeout_s` is for each reply."""

    host: str
    port: int
    password: str = field(repr=False)
    timeout_s: float = 10.0


class Connection(asyncio.Protocol):
    """Speaks to the switch; `ended` is done, with the reason, when it no longer does."""

    def __init__(self, hear: Callable[[Event], None], timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = loop.create_future()
        self.heard_at = monotonic()
        self._hear = hear
        self._timeout_s = timeout_s
        self._framer = Framer()
        self._greeting: asyncio.Future[Frame] = loop.create_future()
        self._waiting: deque[asyncio.Future[Frame]] = deque()
        self._transport: asyncio.Transport | None = None

    async def sign_in(self, password: str) -> None:
        """Answer the switch's greeting.

        Raises ProviderRejected where this address or password is refused, ProviderUnavailable.
        """
        greeting = await self._in_time(self._greeting)
        if greeting.kind == Kind.REJECTION:
            self.end("the switch refuses connections from this address")
            raise ProviderRejected("The switch refuses connections from this address.")
        if not (await self.command(f"auth {password}")).text.startswith("+OK"):
            self.end("the switch refuses the password")
            raise ProviderRejected("The switch refuses the password.")

    async def command(self, *lines: str) -> Frame:
        """Send a command (its first line, then its headers) and wait for its reply.

        Raises ProviderDeferred where nothing was sent, ProviderUnavailable where that is unknown.
        """
        if any(sign in line for line in lines for sign in _BREAKS):
            raise ProviderRejected("A command of the switch has a line break inside.")
        if self._transport is None or self.ended.done():
            why = self.ended.result() if self.ended.done() else "it is not open yet"
            raise ProviderDeferred(f"There is no connection to the switch: {why}.")
        reply: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting.append(reply)
        self._transport.write("\n".join((*lines, "", "")).encode())
        return await self._in_time(reply)

    async def api(self, command: str) -> str:
        """What the switch answers to a command of its console that returns at once."""
        return (await self.command(f"api {command}")).text

    def end(self, reason: str) -> None:
        """Give the connection up; the first reason given stands."""
        if not self.ended.done():
            self.ended.set_result(reason)
        if self._transport is not None:
            self._transport.abort()
        for waiting in (self._greeting, *self._waiting):
            if not waiting.done():
                waiting.set_exception(ProviderUnavailable(f"The connection ended: {reason}."))
                waiting.exception()  # whoever waits is told; where nobody does, that is no fault
        self._waiting.clear()

    async def _in_time(self, reply: "asyncio.Future[Frame]") -> Frame:
        """Wait; who stops waiting leaves the reply its place among the others."""
        done, _ = await asyncio.wait({reply}, timeout=self._timeout_s)
        if not done:
            self.end(f"no answer within {self._timeout_s:g} seconds")
        return await reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio.Protocol."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio.Protocol: a bare end of file is all that a killed switch sends."""
        self.end("the switch closed the connection" if exc is None else type(exc).__name__)

    def data_received(self, data: bytes) -> None:
        """Of asyncio.Protocol."""
        self.heard_at = monotonic()
        try:
            for frame in self._framer.feed(data):
                self._take(frame)
        except BadFrame as exc:
            self.end(str(exc).rstrip("."))

    def _take(self, frame: Frame) -> None:
        if frame.kind in EVENTS:
            self._hear(event_of(frame))
        elif frame.kind in REPLIES:
            self._reply(frame)
        elif frame.kind == Kind.DISCONNECT:
            self._part(frame)
        else:
            self._greeted(frame)

    def _greeted(self, frame: Frame) -> None:
        if frame.kind in GREETINGS and not self._greeting.done():
            self._greeting.set_result(frame)

    def _part(self, frame: Frame) -> None:
        if frame.headers.get("Content-Disposition") != "linger":
            self.end(f"the switch says: {frame.text.splitlines()[0] if frame.body else 'goodbye'}")

    def _reply(self, frame: Frame) -> None:
        if not self._waiting:
            raise BadFrame("A reply came to no command.")
        waiting = self._waiting.popleft()
        if not waiting.done():
            waiting.set_result(frame)


async def connect(socket: Socket, hear: Callable[[Event], None]) -> Connection:
    """Open a connection and sign in; raises ProviderRejected or ProviderUnavailable."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(socket.timeout_s):
            _, connection = await loop.create_connection(
                lambda: Connection(hear, socket.timeout_s), socket.host, socket.port
            )
    except (OSError, TimeoutError) as exc:
        reason = "no answer in time" if isinstance(exc, TimeoutError) else type(exc).__name__
        raise ProviderUnavailable(f"The switch cannot be reached: {reason}.") from exc
    try:
        await connection.sign_in(socket.password)
    except BaseException:
        connection.end("signing in failed")
        raise
    return connection
