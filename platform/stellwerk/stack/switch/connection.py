"""One client of the event socket: who it is, what it commands, what it hears."""

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from hmac import compare_digest
from types import MappingProxyType

from stellwerk.stack.switch.console import Console
from stellwerk.stack.switch.events import OF_CHANNELS, Event, Subscription
from stellwerk.stack.switch.exchange import Exchange
from stellwerk.stack.switch.wire import (
    GOODBYE,
    SHUT_DOWN,
    Command,
    CommandBuffer,
    answered,
    framed,
)

CHUNK_BYTES = 65_536
FORMS = frozenset({"plain", "json", "xml"})
NOT_FOUND = "-ERR command not found"
NOT_OUTBOUND = "-ERR not controlling a session"
MOST_UNREAD_BYTES = 256 * 1024 * 1024  # of a client that does not read; then it is dropped


class Connection:
    """From the first frame to the last; calls outlive it."""

    def __init__(
        self,
        exchange: Exchange,
        console: Console,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._exchange = exchange
        self._console = console
        self._reader = reader
        self._writer = writer
        self._buffer = CommandBuffer()
        self._subscription = Subscription()
        self._unsent: deque[Event] = deque()
        self._jobs: set[asyncio.Task[None]] = set()
        self._is_known = False
        self._is_busy = False
        self._is_leaving = False

    async def serve(self) -> None:
        """Answer commands in their order until one side ends it."""
        if self._exchange.options.is_denying:
            self._write(*answered("Access Denied, go away.\n", "text/rude-rejection"))
            await self._part()
            return
        self._write(framed("auth/request"))
        self._exchange.listeners.add(self._offer)
        shutdown = asyncio.ensure_future(self._exchange.ended.wait())
        talking = asyncio.ensure_future(self._talk())
        try:
            await asyncio.wait({shutdown, talking}, return_when=asyncio.FIRST_COMPLETED)
            if not talking.done():
                await self._part(SHUT_DOWN)
        finally:
            self._exchange.listeners.discard(self._offer)
            for task in (shutdown, talking):
                task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await talking

    async def _talk(self) -> None:
        while received := await self._reader.read(CHUNK_BYTES):
            self._exchange.diary.heard(received)
            self._buffer.feed(received)
            # Until every command is answered the connection is deaf: events wait.
            self._is_busy = True
            while command := self._buffer.take():
                await self._obey(command)
                if self._is_leaving:
                    await self._leave()
                    return
            self._is_busy = False
            self._flush()
            await self._writer.drain()

    async def _obey(self, command: Command) -> None:
        known = COMMANDS.get(command.verb)
        is_allowed = self._is_known or command.verb in {"auth", "exit"}
        if known is None or not is_allowed:
            self._reply(NOT_FOUND)
            return
        await known(self, command)

    def _offer(self, event: Event) -> None:
        if self._is_leaving or not self._subscription.has(event):
            return
        self._unsent.append(event)
        if not self._is_busy and not self._buffer.is_partial:
            self._flush()

    def _flush(self) -> None:
        """Send what waits, unless a command has begun that is not complete."""
        if self._buffer.is_partial:
            return
        while self._unsent:
            self._write(*self._unsent.popleft().frame(self._subscription.form))

    def _write(self, *parts: bytes) -> None:
        """Head and body apart, so that they may arrive apart."""
        if self._writer.transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
            self._writer.transport.abort()
        for part in parts:
            self._writer.write(part)

    def _reply(self, text: str, **headers: str) -> None:
        self._write(framed("command/reply", text, **headers))

    async def _leave(self) -> None:
        """The end comes once the jobs of this connection are done; their results go nowhere."""
        with suppress(OSError):
            await self._writer.drain()
        if self._jobs:
            await asyncio.wait(self._jobs)
        await self._part()

    async def _part(self, words: str = GOODBYE) -> None:
        self._write(*answered(words, "text/disconnect-notice"))
        with suppress(OSError):
            await self._writer.drain()

    async def auth(self, command: Command) -> None:
        """The password; a wrong one ends the connection."""
        given = command.argument.encode()
        if compare_digest(given, self._exchange.options.password.encode()):
            self._is_known = True
            self._reply("+OK accepted")
        else:
            self._is_leaving = True
            self._reply("-ERR invalid")

    async def exit(self, _: Command) -> None:
        """Good-bye."""
        self._is_leaving = True
        self._reply("+OK bye")

    async def api(self, command: Command) -> None:
        """A command of the console; nothing else goes on in this connection meanwhile."""
        if not command.argument:
            self._reply(NOT_FOUND)
            return
        self._write(*answered(await self._console.run(command.argument, command.headers)))

    async def bgapi(self, command: Command) -> None:
        """The same beside everything else; the answer is an event."""
        if not command.argument:
            self._reply(NOT_FOUND)
            return
        job = command.headers.get("Job-UUID") or str(uuid.uuid4())
        self._reply(f"+OK Job-UUID: {job}", Job_UUID=job)
        task = self._exchange.run(self._job(job, command))
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _job(self, job: str, command: Command) -> None:
        body = await self._console.run(command.argument, command.headers)
        word, _, argument = command.argument.partition(" ")
        named = [("Job-UUID", job), ("Job-Command", word)]
        said = [("Job-Command-Arg", argument)] if argument else []
        self._exchange.emit("BACKGROUND_JOB", None, *named, *said, body=body)

    async def event(self, command: Command) -> None:
        """`event plain|json|xml NAME...`."""
        words = command.argument.split()
        form = words.pop(0) if words and words[0] in FORMS else "plain"
        if not self._subscription.add(words):
            self._reply("-ERR no keywords supplied")
            return
        self._subscription.form = form
        self._reply(f"+OK event listener enabled {form}")

    async def myevents(self, command: Command) -> None:
        """`myevents UUID [plain|json|xml]`: nothing but the events of one living channel."""
        unique_id, _, form = command.argument.partition(" ")
        if self._subscription.mine:
            self._reply("-ERR aready enabled.")  # so the switch writes it
        elif self._console.channel(unique_id) is None:
            self._reply("-ERR invalid uuid")
        else:
            self._subscription.add(sorted(OF_CHANNELS))
            self._subscription.mine = unique_id
            self._subscription.form = form if form in FORMS else "plain"
            self._reply("+OK Events Enabled")

    async def sendmsg(self, command: Command) -> None:
        """`sendmsg UUID` with `call-command: hangup`, or `execute` of the application of that name.

        Other commands and applications are refused, which a real switch takes without a word.
        """
        headers = {name.lower(): value for name, value in command.headers.items()}
        unique_id = command.argument or headers.get("session-id", "") or self._subscription.mine
        channel = self._console.channel(unique_id)
        wanted = headers.get("call-command", "")
        cause = headers.get("hangup-cause", "")
        if wanted == "execute":
            wanted, cause = headers.get("execute-app-name", ""), headers.get("execute-app-arg", "")
        if channel is None:
            self._reply(f"-ERR invalid session id [{unique_id}]")
        elif wanted != "hangup":
            self._reply(f"-ERR not done by the simulator [{wanted}]")
        else:
            self._reply("+OK")
            self._exchange.hang_up(channel, cause or "NORMAL_CLEARING")

    async def divert_events(self, _: Command) -> None:
        """For connections that the switch opened, too."""
        self._reply(f"{NOT_OUTBOUND}.")

    async def nixevent(self, command: Command) -> None:
        """Hear less."""
        self._subscription.remove(command.argument.split())
        self._reply("+OK events nixed")

    async def noevents(self, _: Command) -> None:
        """Hear nothing."""
        self._subscription.clear()
        self._unsent.clear()
        self._reply("+OK no longer listening for events")

    async def filter(self, command: Command) -> None:
        """`filter HEADER VALUE`, `filter delete HEADER`."""
        name, _, value = command.argument.partition(" ")
        if name == "delete":
            self._subscription.widen(value.partition(" ")[0])
            self._reply(f"+OK filter deleted. [{value}][]")
        elif name and value:
            self._subscription.narrow(name, value)
            self._reply(f"+OK filter added. [{name}]=[{value}]")
        else:
            self._reply("-ERR invalid syntax")

    async def sendevent(self, command: Command) -> None:
        """An event of the client's own, to everybody."""
        subclass = command.headers.get("Event-Subclass", "")
        others = [pair for pair in command.headers.items() if pair[0] != "Event-Subclass"]
        said = [("Event-Subclass", subclass)] if subclass else []
        headers = [*said, ("Command", command.line), *others]
        self._reply(f"+OK {self._exchange.custom(headers, command.body)}")

    async def log(self, command: Command) -> None:
        """Accepted; there is no log to send."""
        level = command.argument or "7"
        self._reply(f"+OK log level {level} [{level}]")

    async def nolog(self, _: Command) -> None:
        """No log."""
        self._reply("+OK no longer logging")

    async def linger(self, _: Command) -> None:
        """For connections that the switch opened; these are not."""
        self._reply(NOT_OUTBOUND)


COMMANDS: Mapping[str, Callable[[Connection, Command], Awaitable[None]]] = MappingProxyType(
    {
        "api": Connection.api,
        "auth": Connection.auth,
        "bgapi": Connection.bgapi,
        "event": Connection.event,
        "exit": Connection.exit,
        "filter": Connection.filter,
        "divert_events": Connection.divert_events,
        "linger": Connection.linger,
        "log": Connection.log,
        "myevents": Connection.myevents,
        "nixevent": Connection.nixevent,
        "noevents": Connection.noevents,
        "nolinger": Connection.linger,
        "nolog": Connection.nolog,
        "sendevent": Connection.sendevent,
        "sendmsg": Connection.sendmsg,
    }
)
