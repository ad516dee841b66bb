"""Begins calls: whatever becomes of each order is stored in its turn."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import structlog

from stellwerk.calls import dialing
from stellwerk.errors import ProviderDeferred, ProviderError, ProviderRejected
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.calls.protocol import Dial, Trunk
from stellwerk_workers.telephony.election import Lease
from stellwerk_workers.telephony.pacing import Pace
from stellwerk_workers.telephony.writer import Writer

PROMPT_S = 1.5  # a call is sent within this after its intent was asked for, or not at all
MARGIN_S = 1.0  # that the lease has to last after that
AGAIN_S = 1.0  # of what was certainly not dialled, where the provider does not say
LATE = "not sent in time"

log = structlog.get_logger()

Done = TypeVar("Done")


class Sender:
    """Dials calls that are due, as quickly as the trunk admits.

    `doubted` is called where nobody can tell whether an order was taken, `parted` where there is
    no connection to give it to.
    """

    def __init__(
        self,
        runtime: Runtime,
        trunk: Trunk,
        lease: Lease,
        writer: Writer,
        *,
        doubted: Callable[[], None],
        parted: Callable[[], None],
    ) -> None:
        self._runtime, self._trunk = runtime, trunk
        self._lease, self._writer = lease, writer
        self._doubted, self._parted = doubted, parted
        self._pace = Pace(trunk.dials_per_s)
        self._under_way: set[asyncio.Task[object]] = set()
        self._giving: set[UUID] = set()
        self._is_claiming = False
        self._tried: dict[UUID, int] = {}  # attempts that were begun, or may have been

    def has_tried(self, dial: Dial) -> bool:
        """Whether this process gave the order, or may have."""
        return self._tried.get(dial.call_id, 0) >= dial.attempt

    def may_be_giving(self, dial: Dial) -> bool:
        """Whether the order is being given now, or is perhaps among those claimed now."""
        return self._is_claiming or dial.call_id in self._giving

    def tried(self) -> Mapping[UUID, int]:
        """What `has_tried` knows now."""
        return dict(self._tried)

    def forget(self, ended: Mapping[UUID, int]) -> None:
        """These attempts of `tried` are over; later ones of the same calls are kept."""
        for call_id, attempt in ended.items():
            if self._tried.get(call_id) == attempt:
                del self._tried[call_id]

    async def send_due(self) -> None:
        """Dial what is due until nothing is; raises SQLAlchemyError."""
        while True:
            await asyncio.sleep(self._pace.wait_s())
            admitted = self._pace.admitted()
            if not self._lease.leaves(PROMPT_S + MARGIN_S):
                return
            # Whoever is cancelled in between leaves no intent behind that nobody sends.
            if await asyncio.shield(self._begin(self._claim_and_begin(admitted))) < admitted:
                return

    async def sent(self, timeout_s: float) -> None:
        """Returns when every order has been answered, or when the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._under_way:
                    await asyncio.wait(self._under_way)

    async def _claim_and_begin(self, most: int) -> int:
        asked_at = time.monotonic()
        claim = partial(dialing.claim, self._runtime, self._trunk.name, self._lease.fence)
        self._is_claiming = True
        try:
            dials = await asyncio.to_thread(claim, most)
        finally:
            self._is_claiming = False
        self._pace.spend(len(dials))
        self._giving.update(dial.call_id for dial in dials)
        for dial in dials:
            self._begin(self._send(dial, asked_at))
        return len(dials)

    def _begin(self, work: Coroutine[Any, Any, Done]) -> asyncio.Task[Done]:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _send(self, dial: Dial, asked_at: float) -> None:
        try:
            await self._give(dial, asked_at)
        finally:
            self._giving.discard(dial.call_id)

    async def _give(self, dial: Dial, asked_at: float) -> None:
        reach(self._runtime, CrashPoint.BEFORE_DIAL, dial.call_id)
        if not self._lease.leaves(MARGIN_S) or time.monotonic() - asked_at > PROMPT_S:
            self._put_off(dial, AGAIN_S)
            log.warning("call not dialled", call_id=str(dial.call_id), reason=LATE)
            return
        self._tried[dial.call_id] = dial.attempt
        try:
            ref = await self._trunk.dial(dial)
        except ProviderError as exc:
            self._note_failure(dial, exc)
            return
        except Exception:  # a fault of ours must not keep the others from being dialled
            log.exception("nobody can tell whether this was dialled", call_id=str(dial.call_id))
            self._doubted()
            return
        reach(self._runtime, CrashPoint.AFTER_DIAL, dial.call_id)
        self._writer.put(dialing.Taken(dial.call_id, dial.attempt, ref))

    def _note_failure(self, dial: Dial, exc: ProviderError) -> None:
        log.warning("call not dialled", call_id=str(dial.call_id), reason=exc.message)
        if isinstance(exc, ProviderDeferred):
            self._put_off(dial, exc.retry_after_s or AGAIN_S)
            self._parted()
        elif isinstance(exc, ProviderRejected):
            self._writer.put(partial(dialing.refused, self._runtime, dial, cause=None))
        else:
            self._doubted()

    def _put_off(self, dial: Dial, after_s: float) -> None:
        put_off = partial(dialing.put_off, self._runtime, dial, cause=None, after_s=after_s)
        self._writer.put(put_off)
