"""What the process that holds the lease does, until it loses it or is told to stop."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.calls import dialing
from stellwerk.calls.dialing import HangUp
from stellwerk.db.engine import is_contended, may_pass
from stellwerk.errors import ProviderError
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.calls.protocol import Listener, Trunk
from stellwerk_workers.telephony import health
from stellwerk_workers.telephony.bridging import Bridger
from stellwerk_workers.telephony.election import RENEWALS, Lease
from stellwerk_workers.telephony.reconciliation import Reconciliation
from stellwerk_workers.telephony.sending import Sender
from stellwerk_workers.telephony.writer import Writer

LOOK_EVERY_S = 0.4  # for calls to dial and to hang up, where no notice came
CHECK_EVERY_S = 5.0
COMPARE_EVERY_S = 30.0
LEFT_UP_AGAIN_S = 60.0  # where what has perhaps ended could not be hung up
DOUBT_EVERY_S = 1.0  # the same while something is in doubt
OUTAGE_PAUSE_S = 0.5
LAST_ORDERS_S = 0.5  # for answers to what was sent, when the term ends

log = structlog.get_logger()


class TermOver(Exception):
    """Somebody else holds the lease, or the process is to stop."""


class Bell:
    """Something to do: rung from anywhere in the loop, heard by one."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Let whoever listens look now."""
        self._rung.set()

    async def heard(self, timeout_s: float) -> None:
        """Returns when it rang, or after the time.

        By `timeout`, as `wait_for` of Python 3.11 loses a cancel that comes with the ring.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
                self._rung.clear()


class Term:
    """One time of holding the lease; `notice` is called when the ledger has something to do."""

    def __init__(self, runtime: Runtime, trunk: Trunk, lease: Lease, writer: Writer) -> None:
        self._runtime, self._trunk, self._lease, self._writer = runtime, trunk, lease, writer
        self._dial, self._hang_up, self._check, self._compare = Bell(), Bell(), Bell(), Bell()
        self._bridge = Bell()
        self._is_connected = self._is_in_doubt = False
        self._not_before: dict[UUID, float] = {}  # hang-ups that failed
        self._sender = Sender(runtime, trunk, lease, writer, doubted=self._doubt, parted=self._part)
        self._bridger = Bridger(runtime, trunk, lease, writer, doubted=self._doubt)
        self._reconciliation = Reconciliation(runtime, trunk, lease, writer, self._sender)

    def notice(self) -> None:
        """There may be calls to dial, to connect or to hang up."""
        self._dial.ring()
        self._bridge.ring()
        self._hang_up.ring()

    def compare(self) -> None:
        """Something may have gone unheard."""
        self._compare.ring()

    async def serve(self, stopping: asyncio.Event) -> None:
        """Do it all until the term is over."""
        listener = Listener(heard=self._writer.heard, connected=self._connect)
        renew_every_s = self._lease.lease_s / RENEWALS
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._trunk.run(listener))
                group.create_task(self._stop_with(stopping))
                group.create_task(self._keep_comparing())
                group.create_task(_repeat(self._renew, Bell(), renew_every_s))
                group.create_task(_repeat(self._look_for_dials, self._dial, LOOK_EVERY_S))
                group.create_task(_repeat(self._look_for_bridges, self._bridge, LOOK_EVERY_S))
                group.create_task(_repeat(self._look_for_hang_ups, self._hang_up, LOOK_EVERY_S))
                group.create_task(_repeat(self._look_at_trunk, self._check, CHECK_EVERY_S))
        except* TermOver:
            log.info("no longer dialling", trunk=self._trunk.name)

    def _connect(self) -> None:
        """There may be something else at its other end: it is looked at before it is used."""
        self._is_connected = False
        self._check.ring()

    def _part(self) -> None:
        """There may be no connection: nothing more is dialled until it is known to be there."""
        self._is_connected = False
        self._check.ring()

    def _doubt(self) -> None:
        self._is_in_doubt = True
        self._compare.ring()

    async def _stop_with(self, stopping: asyncio.Event) -> None:
        """Answers to orders that were given are waited for, a little."""
        await stopping.wait()
        self._lease.retire()
        await asyncio.gather(self._sender.sent(LAST_ORDERS_S), self._bridger.sent(LAST_ORDERS_S))
        raise TermOver

    async def _renew(self) -> None:
        if not await asyncio.to_thread(self._lease.renew):
            raise TermOver

    async def _look_for_dials(self) -> None:
        if self._is_connected:
            await self._sender.send_due()

    async def _look_for_bridges(self) -> None:
        if self._is_connected:
            await self._bridger.bridge_due()

    async def _look_at_trunk(self) -> None:
        was_connected = self._is_connected
        self._is_connected = await health.check(self._runtime, self._trunk, self._lease)
        if self._is_connected and not was_connected:
            self.compare()
            self.notice()

    async def _look_for_hang_ups(self) -> None:
        look = partial(dialing.to_hang_up, self._runtime, self._trunk.name)
        found = await asyncio.to_thread(look)
        now = time.monotonic()
        self._not_before = {one: at for one, at in self._not_before.items() if at > now}
        wanted = [one for one in found if one.call_id not in self._not_before]
        told = await asyncio.gather(*map(self._hang_up_one, wanted))
        sent = [one.call_id for one, is_sent in zip(wanted, told, strict=True) if is_sent]
        if sent:
            await asyncio.to_thread(dialing.hang_up_sent, self._runtime, sent)

    async def _hang_up_one(self, wanted: HangUp) -> bool:
        try:
            await self._trunk.hang_up(wanted.call_id, wanted.ref)
        except ProviderError as exc:
            log.warning("not hung up", call_id=str(wanted.call_id), reason=exc.message)
            if wanted.has_ended:
                self._not_before[wanted.call_id] = time.monotonic() + LEFT_UP_AGAIN_S
            return False
        return True

    async def _keep_comparing(self) -> None:
        """Nothing is compared before there is a connection: what it says comes in order then."""
        while True:
            await self._compare.heard(DOUBT_EVERY_S if self._is_in_doubt else COMPARE_EVERY_S)
            if self._is_connected:
                await _once(self._compare_now)

    async def _compare_now(self) -> None:
        self._is_in_doubt = True  # until it is done
        self._is_in_doubt = await self._reconciliation.compare()


async def _repeat(step: Callable[[], Awaitable[None]], bell: Bell, every_s: float) -> None:
    while True:
        await _once(step)
        await bell.heard(every_s)


async def _once(step: Callable[[], Awaitable[None]]) -> None:
    """One turn; while Postgres is gone it is as good as not taken."""
    try:
        await step()
    except SQLAlchemyError as exc:
        if not (may_pass(exc) or is_contended(exc)):
            raise
        log.warning("Postgres does not answer", reason=str(exc).splitlines()[0])
        await asyncio.sleep(OUTAGE_PAUSE_S)
