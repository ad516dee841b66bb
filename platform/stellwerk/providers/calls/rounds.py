"""Looks after calls under way by asking: for installations that carriers cannot reach."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

import structlog

from stellwerk.errors import ProviderError

_log = structlog.get_logger(__name__)
IDLE_S = 0.5
REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Watched:
    """A call under way. `has_two_legs`: another number was rung before the one that was called."""

    call_id: UUID
    ref: str
    has_two_legs: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is asked: each call every `every_s` seconds, all together `per_s` a second."""

    every_s: float = 2.0
    per_s: float = 5.0


class Rounds:
    """The calls under way, the one looked at longest ago first."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._lately: deque[str] = deque(
            maxlen=REMEMBERED
        )  # the carrier's names of those that ended
        self._due: dict[UUID, tuple[float, Watched]] = {}  # in the order of their times

    def watch(self, call: Watched) -> None:
        """Look after a call from now on."""
        if call.call_id not in self._due:
            self._due[call.call_id] = (monotonic() + self._pace.every_s, call)

    def forget(self, call_id: UUID) -> None:
        """A call is over."""
        _, call = self._due.pop(call_id, (0.0, None))
        if call is not None:
            self._lately.append(call.ref)

    def watched(self, call_id: UUID) -> Watched | None:
        """A call under way."""
        found = self._due.get(call_id)
        return found and found[1]

    def ref(self, call_id: UUID) -> str | None:
        """The carrier's name of a call under way."""
        found = self.watched(call_id)
        return found.ref if found else None

    def refs_of_others(self, call_id: UUID) -> set[str]:
        """The carrier's names of all the other calls, those that ended lately too."""
        under_way = {call.ref for other, (_, call) in self._due.items() if other != call_id}
        return under_way.union(self._lately)

    async def run(self, look: Callable[[Watched], Awaitable[None]]) -> None:
        """Look at each when its time has come, until cancelled."""
        while True:
            call = self._next()
            if call is None:
                await asyncio.sleep(IDLE_S)
                continue
            try:
                await look(call)
            except ProviderError as exc:
                _log.warning("carrier.not_asked", call_id=str(call.call_id), reason=str(exc))
            await asyncio.sleep(1 / self._pace.per_s)

    def _next(self) -> Watched | None:
        for call_id, (due_at, call) in self._due.items():
            if due_at > monotonic():
                return None
            del self._due[call_id]
            self._due[call_id] = (monotonic() + self._pace.every_s, call)
            return call
        return None
