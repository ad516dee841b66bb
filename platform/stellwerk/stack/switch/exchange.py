"""The switch itself: its channels, its events, its limits. Calls live here, not in a connection."""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Any

from stellwerk.stack.switch.channel import Channel, microseconds, stamp
from stellwerk.stack.switch.diary import Diary
from stellwerk.stack.switch.events import Event

NAME = "simulator"
VERSION = "1.10.12-simulator"
HEARTBEAT_S = 20.0
SHUTDOWN_S = 0.3  # from the command to the first hang-up
FAREWELL_S = 2.0  # from there to the end of the connections
INVERSION = 0.02  # how often two events swap their sequence numbers
MOST_SESSIONS = 1000

dice = SystemRandom()


@dataclass(frozen=True, slots=True)
class Options:
    """How one simulator is."""

    password: str = field(repr=False)
    port: int = 0
    sessions_per_s: int = 30
    speed: float = 1.0  # 10: all that takes time in a call takes a tenth of it
    folder: Path | None = None  # where its diary is kept
    is_denying: bool = False  # answers every connection as one that its access list forbids


class Exchange:
    """One simulated switch, from its start to its shutdown."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.core_id = str(uuid.uuid4())
        self.started = time.monotonic()
        self.channels: dict[str, Channel] = {}
        self.gateways = {"trunk": "up", "deadtrunk": "dead", "downtrunk": "down"}
        self.listeners: set[Callable[[Event], None]] = set()
        self.diary = Diary(options.folder)
        self.sessions_begun = 0
        self.ended = asyncio.Event()  # by a shutdown
        self._sequence = 0
        self._swapped = 0  # a number that was left out and goes to the next event
        self._second = 0
        self._sessions_this_second = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Do it beside everything else, whoever asked for it and however long they stay."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def sleep(self, simulated_s: float) -> None:
        """Let time pass, at the simulator's speed."""
        await asyncio.sleep(simulated_s / self.options.speed)

    async def jitter(self, most_s: float) -> None:
        """Up to so many real seconds: what makes the order of events vary."""
        await asyncio.sleep(dice.uniform(0, most_s))

    def take_sessions(self, count: int) -> bool:
        """Whether so many sessions may begin now; the limit is one of real seconds."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._sessions_this_second = second, 0
        if self._sessions_this_second + count > self.options.sessions_per_s:
            return False
        self._sessions_this_second += count
        return True

    def admit(self, channel: Channel) -> None:
        """A new channel, with the next session id."""
        self.sessions_begun += 1
        channel.session_id = self.sessions_begun
        self.channels[channel.unique_id] = channel

    def emit(
        self, name: str, channel: Channel | None = None, *others: tuple[str, str], body: str = ""
    ) -> str:
        """Tell everybody who listens; returns the event's own id."""
        pairs = self._head(name)
        if channel:
            # Once more than in the channel's own headers: on the real one it stands there twice.
            is_end = name == "CHANNEL_HANGUP_COMPLETE"
            pairs += [("Hangup-Cause", channel.cause)] if is_end else []
            pairs += channel.headers()
        return self.tell([*pairs, *others], body)

    def custom(self, headers: Iterable[tuple[str, str]], body: str) -> str:
        """An event that a client sends."""
        own_id = str(uuid.uuid4())
        sent = [(name, value) for name, value in headers if name != "Content-Length"]
        length = [("Content-Length", str(len(body.encode())))] if body else []
        self.tell([*sent, *length, ("Event-UUID", own_id), *self._head("CUSTOM")], body)
        return own_id

    def tell(self, pairs: list[tuple[str, str]], body: str) -> str:
        """Hand an event to every connection."""
        event = Event(pairs, body)
        for listener in tuple(self.listeners):
            listener(event)
        return event.value("Event-Sequence") or ""

    def _head(self, name: str) -> list[tuple[str, str]]:
        now = microseconds()
        moment = datetime.fromtimestamp(now / 1_000_000, UTC)
        return [
            ("Event-Name", name),
            ("Core-UUID", self.core_id),
            ("FreeSWITCH-Hostname", NAME),
            ("FreeSWITCH-Switchname", NAME),
            ("FreeSWITCH-IPv4", "127.0.0.1"),
            ("FreeSWITCH-IPv6", "::1"),
            ("Event-Date-Local", stamp(now)),
            ("Event-Date-GMT", f"{moment:%a, %d %b %Y %H:%M:%S} GMT"),
            ("Event-Date-Timestamp", str(now)),
            ("Event-Calling-File", NAME),
            ("Event-Sequence", str(self._next_number())),
        ]

    def _next_number(self) -> int:
        if self._swapped:
            number, self._swapped = self._swapped, 0
            return number
        self._sequence += 1
        if dice.random() < INVERSION:
            self._swapped = self._sequence
            self._sequence += 1
        return self._sequence

    async def beat(self) -> None:
        """HEARTBEAT every 20 s, until cancelled."""
        while True:
            await self.sleep(HEARTBEAT_S)
            self.emit("HEARTBEAT", None, *self._vital_signs())

    def _vital_signs(self) -> list[tuple[str, str]]:
        return [
            ("Event-Info", "System Ready"),
            ("FreeSWITCH-Version", VERSION),
            ("Uptime-msec", str(int((time.monotonic() - self.started) * 1000))),
            ("Session-Count", str(len(self.channels))),
            ("Max-Sessions", str(MOST_SESSIONS)),
            ("Session-Per-Sec", str(self.options.sessions_per_s)),
            ("Session-Since-Startup", str(self.sessions_begun)),
            ("Idle-CPU", "99.000000"),
        ]

    def hang_up(self, channel: Channel, cause: str) -> None:
        """Begin the end of a channel; nothing where it has begun."""
        if channel.cause:
            return
        channel.cause = cause
        channel.answer_state = "hangup"
        channel.times["Hangup"] = microseconds()
        self.emit("CHANNEL_HANGUP", channel)
        channel.hung_up.set()

    async def shut_down(self) -> None:
        """End every call, say so, and stop."""
        await self.sleep(SHUTDOWN_S)
        self.emit("SHUTDOWN", None, ("Event-Info", "System Shutting Down"))
        for channel in reversed(tuple(self.channels.values())):
            self.hang_up(channel, "SYSTEM_SHUTDOWN")
        await self.sleep(FAREWELL_S)
        self.ended.set()

    async def close(self) -> None:
        """End all that goes on, without a word of it."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
