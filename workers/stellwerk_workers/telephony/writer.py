"""Stores what happens to calls: one after another, in the order in which it was heard.

While Postgres is gone everything waits in memory. What no longer fits is forgotten, and has to be
found out anew from the switch. What is stuck behind somebody's lock is tried again beside the
others, and holds up none of them.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.calls import dialing
from stellwerk.calls.dialing import Taken
from stellwerk.db.engine import is_contended, is_stuck, may_pass
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.calls.protocol import CallEvent

MOST = 50_000  # events in memory: those of thousands of calls, in some 30 MiB
BATCH = 200  # stored by one transaction
OUTAGE_PAUSE_S = 0.25
STUCK_PAUSE_S = 0.5
STUCK_AT_MOST_S = 90.0  # then it is given up, and has to be found out anew

log = structlog.get_logger()

Told = CallEvent | Taken  # stored together with its neighbours
Deed = Callable[[], object]  # something else that is stored, in its turn
Passed = asyncio.Future[None]  # done when its turn comes


@dataclass(frozen=True, slots=True)
class Stuck:
    """One that was stuck; `over` is done when it is stored or given up."""

    one: Told | Deed
    until: float  # monotonic
    over: Passed


class Writer:
    """What was heard and is not stored yet, and the one task that stores it.

    `overflowed` is called once events had to be forgotten and the rest is stored: those beyond
    `most`, and what was stuck for `stuck_at_most_s`.
    """

    def __init__(
        self,
        runtime: Runtime,
        trunk: str,
        overflowed: Callable[[], None],
        *,
        most: int = MOST,
        stuck_at_most_s: float = STUCK_AT_MOST_S,
    ) -> None:
        self._runtime = runtime
        self._trunk = trunk
        self._overflowed = overflowed
        self._most, self._stuck_at_most_s = most, stuck_at_most_s
        self._waiting: deque[Told | Deed | Passed] = deque()
        self._stuck: deque[Stuck] = deque()
        self._came = asyncio.Event()
        self._came_stuck = asyncio.Event()
        self._lost = 0

    def heard(self, event: CallEvent) -> None:
        """Store it soon; returns at once."""
        reach(self._runtime, CrashPoint.CALL_HEARD, event.call_id, step=event.kind)
        if len(self._waiting) + len(self._stuck) >= self._most:
            self._lost += 1
            return
        self.put(event)

    def put(self, one: Told | Deed | Passed) -> None:
        """Store it in its turn, whatever waits; returns at once."""
        self._waiting.append(one)
        self._came.set()

    async def caught_up(self) -> None:
        """Returns as soon as all is stored that was heard before, whatever is heard meanwhile."""
        passed: Passed = asyncio.get_running_loop().create_future()
        self.put(passed)
        await passed
        if self._stuck:
            await asyncio.wait([stuck.over for stuck in self._stuck])

    async def run(self) -> None:
        """Store until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._store_what_comes())
            group.create_task(self._store_stuck())

    async def _store_what_comes(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            while batch := self._next():
                await self._store(batch)
                for _ in batch:
                    self._waiting.popleft()
                self._tell_of_lost()

    async def _store_stuck(self) -> None:
        """One after another, each that is still stuck behind the others again."""
        while True:
            await self._came_stuck.wait()
            self._came_stuck.clear()
            while self._stuck:
                await self._try_again(self._stuck[0])
                self._tell_of_lost()

    async def _try_again(self, stuck: Stuck) -> None:
        is_over = True
        try:
            await self._through_outages([stuck.one])
        except Exception as exc:  # the process's edge
            is_over = not is_stuck(exc) or time.monotonic() > stuck.until
            if is_over:
                log.exception("could not be stored")
                self._lost += 1
        self._stuck.popleft()
        if is_over:
            stuck.over.set_result(None)
            return
        self._stuck.append(stuck)
        await asyncio.sleep(STUCK_PAUSE_S)

    def _set_aside(self, batch: Sequence[Told | Deed | Passed]) -> None:
        until = time.monotonic() + self._stuck_at_most_s
        for one in batch:
            if not isinstance(one, asyncio.Future):
                over: Passed = asyncio.get_running_loop().create_future()
                self._stuck.append(Stuck(one, until, over))
        self._came_stuck.set()

    def _next(self) -> Sequence[Told | Deed | Passed]:
        """What is stored together up to the next deed, or that one."""
        batch: list[Told | Deed | Passed] = []
        for one in self._waiting:
            if len(batch) == BATCH or (batch and not isinstance(one, Told)):
                break
            batch.append(one)
            if not isinstance(one, Told):
                break
        return batch

    async def _store(self, batch: Sequence[Told | Deed | Passed]) -> None:
        if isinstance(batch[0], asyncio.Future):
            if not batch[0].done():  # whoever waited may have gone
                batch[0].set_result(None)
            return
        try:
            await self._through_outages(batch)
        except Exception as exc:  # the process's edge: one that fails keeps none of the others
            if is_stuck(exc):
                log.warning("tried again later", count=len(batch), reason=_reason(exc))
                self._set_aside(batch)
                return
            if len(batch) == 1:
                log.exception("could not be stored")
                self._lost += 1
                return
            for one in batch:
                await self._store([one])

    async def _through_outages(self, batch: Sequence[Told | Deed | Passed]) -> None:
        while True:
            try:
                await asyncio.to_thread(self._write, batch)
            except SQLAlchemyError as exc:
                if not (may_pass(exc) or is_contended(exc)) or is_stuck(exc):
                    raise
                log.warning("Postgres is gone", reason=_reason(exc))
                await asyncio.sleep(OUTAGE_PAUSE_S)
            else:
                return

    def _write(self, batch: Sequence[Told | Deed | Passed]) -> None:
        orders = [one for one in batch if isinstance(one, Taken)]
        if orders:
            dialing.taken(self._runtime, orders)
        events = [one for one in batch if isinstance(one, CallEvent)]
        if events:
            dialing.record(self._runtime, self._trunk, events)
        for one in batch:
            if not isinstance(one, Told | asyncio.Future):
                one()

    def _tell_of_lost(self) -> None:
        if self._lost and len(self._waiting) < self._most // 2:
            log.error("events of calls were lost, looking at the switch", count=self._lost)
            self._lost = 0
            self._overflowed()


def _reason(exc: BaseException) -> str:
    return str(exc).splitlines()[0]
