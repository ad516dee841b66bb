"""Who listens to a trunk in tests: remembers what it heard, and waits for it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import ParamSpec

from stellwerk.providers.calls.protocol import CallEvent, EventKind, Leg, Listener, Trunk

PATIENCE_S = 60.0
P = ParamSpec("P")


@dataclass(slots=True)
class Heard:
    """What a trunk told."""

    events: list[CallEvent] = field(default_factory=list)
    connections: int = 0
    trouble: list[BaseException] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def listener(self) -> Listener:
        """To hand to the trunk."""
        return Listener(self._hear, self._connect)

    def kinds(self, leg: Leg = Leg.TO) -> list[EventKind]:
        """Of the events of one leg, in the order heard."""
        return [event.kind for event in self.events if event.leg is leg]

    def one(self, kind: EventKind, leg: Leg = Leg.TO) -> CallEvent:
        """The only event of a kind."""
        (event,) = [one for one in self.events if (one.kind, one.leg) == (kind, leg)]
        return event

    async def until(self, holds: Callable[["Heard"], object]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds(self):
                self._changed.clear()
                await self._changed.wait()

    async def until_kind(self, kind: EventKind, leg: Leg = Leg.TO) -> CallEvent:
        """Wait for an event."""
        await self.until(lambda heard: kind in heard.kinds(leg))
        return next(one for one in self.events if (one.kind, one.leg) == (kind, leg))

    def _hear(self, event: CallEvent) -> None:
        self.events.append(event)
        self._changed.set()

    def _connect(self) -> None:
        self.connections += 1
        self._changed.set()


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds of which nobody tells."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110  nobody sets an event for it
            await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(trunk: Trunk, *, connects: bool = True) -> AsyncIterator[Heard]:
    """A trunk that runs; with `connects`, once it is connected."""
    heard = Heard()
    running = asyncio.create_task(trunk.run(heard.listener))
    try:
        if connects:
            await heard.until(lambda now: now.connections)
        yield heard
    finally:
        running.cancel()
        await asyncio.wait({running})


def in_a_loop(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """A test that is a coroutine, run in an event loop of its own."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run
