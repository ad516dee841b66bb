"""Stores what happens to calls: one after another, in the order in which it was heard.

While Postgres is gone everything waits in memory. What no longer fits is forgotten, and has to be
found out anew from the switch.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.calls import dialing
from stellwerk.db.engine import is_contended, is_stuck, may_pass
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.calls.protocol import CallEvent

MOST = 50_000  # events in memory: those of thousands of calls, in some 30 MiB
BATCH = 200  # stored by one transaction
OUTAGE_PAUSE_S = 0.25

log = structlog.get_logger()

Deed = Callable[[], object]  # something else that is stored, in its turn


class Writer:
    """What was heard and is not stored yet, and the one task that stores it.

    `overflowed` is called once events had to be forgotten and the rest is stored.
    """

    def __init__(self, runtime: Runtime, trunk: str, overflowed: Callable[[], None]) -> None:
        self._runtime = runtime
        self._trunk = trunk
        self._overflowed = overflowed
        self._waiting: deque[CallEvent | Deed] = deque()
        self._came = asyncio.Event()
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._lost = 0

    def heard(self, event: CallEvent) -> None:
        """Store it soon; returns at once."""
        reach(self._runtime, CrashPoint.CALL_HEARD, event.call_id, step=event.kind)
        if len(self._waiting) >= MOST:
            self._lost += 1
            return
        self.put(event)

    def put(self, one: CallEvent | Deed) -> None:
        """Store it in its turn, whatever waits; returns at once."""
        self._waiting.append(one)
        self._is_empty.clear()
        self._came.set()

    async def emptied(self) -> None:
        """Returns as soon as all is stored that was heard."""
        await self._is_empty.wait()

    async def run(self) -> None:
        """Store until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            while batch := self._next():
                await self._store(batch)
                for _ in batch:
                    self._waiting.popleft()
            self._is_empty.set()
            self._tell_of_lost()

    def _next(self) -> Sequence[CallEvent | Deed]:
        """The events up to the next deed, or that one."""
        batch: list[CallEvent | Deed] = []
        for one in self._waiting:
            if len(batch) == BATCH or (batch and not isinstance(one, CallEvent)):
                break
            batch.append(one)
            if not isinstance(one, CallEvent):
                break
        return batch

    async def _store(self, batch: Sequence[CallEvent | Deed]) -> None:
        try:
            await self._through_outages(batch)
        except Exception:  # the process's edge: one that cannot be stored keeps none of the others
            if len(batch) == 1:
                log.exception("could not be stored")
                self._lost += 1
                return
            for one in batch:
                await self._store([one])

    async def _through_outages(self, batch: Sequence[CallEvent | Deed]) -> None:
        while True:
            try:
                await asyncio.to_thread(self._write, batch)
            except SQLAlchemyError as exc:
                if not (may_pass(exc) or is_contended(exc)) or is_stuck(exc):
                    raise
                log.warning("Postgres is gone", reason=str(exc).splitlines()[0])
                await asyncio.sleep(OUTAGE_PAUSE_S)
            else:
                return

    def _write(self, batch: Sequence[CallEvent | Deed]) -> None:
        events = [one for one in batch if isinstance(one, CallEvent)]
        if events:
            dialing.record(self._runtime, self._trunk, events)
        for one in batch:
            if not isinstance(one, CallEvent):
                one()

    def _tell_of_lost(self) -> None:
        if self._lost:
            log.error("events of calls were lost, looking at the switch", count=self._lost)
            self._lost = 0
            self._overflowed()
