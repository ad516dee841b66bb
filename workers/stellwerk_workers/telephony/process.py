"""The process: it stands by until it holds the lease, serves its term, and stands by again."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.db.engine import is_contended, may_pass
from stellwerk.logs import configure_logs
from stellwerk.providers.calls.protocol import Trunk
from stellwerk.settings import Settings, settings
from stellwerk_workers.telephony.election import Lease
from stellwerk_workers.telephony.notices import Notices
from stellwerk_workers.telephony.term import Bell, Term
from stellwerk_workers.telephony.writer import Writer

STAND_BY_S = 0.5  # between looks at the lease
FAULT_PAUSE_S = 1.0
LAST_WORDS_S = 2.0  # to store what was heard, once the process is to stop
CONNECTIONS = 8  # to Postgres, each used by a thread of its own

log = structlog.get_logger()


class Telephony:
    """One process of them; `run` returns after `stop`."""

    def __init__(self, platform: Platform, trunk: Trunk) -> None:
        self._platform = platform
        self._trunk = trunk
        self._stopping = asyncio.Event()
        self._bell = Bell()
        self._term: Term | None = None
        self._writer = Writer(platform.runtime, trunk.name, self._compare)

    def stop(self) -> None:
        """Give the lease back and end; calls stay up."""
        self._stopping.set()
        self._bell.ring()

    async def run(self) -> None:
        """Stand by and serve, until stopped."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(CONNECTIONS))
        notices = Notices(self._platform.engine, self._notice)
        helpers = [asyncio.create_task(one) for one in (self._writer.run(), notices.run())]
        log.info("telephony runs", trunk=self._trunk.name)
        try:
            while not self._stopping.is_set():
                await self._stand_by_and_serve()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _stand_by_and_serve(self) -> None:
        lease = Lease(
            self._platform.runtime.sessions,
            self._trunk.name,
            self._platform.settings.call_lease_s,
        )
        if not await self._takes(lease):
            await self._bell.heard(STAND_BY_S)
            return
        log.info("dialling", trunk=self._trunk.name, fence=lease.fence)
        self._term = Term(self._platform.runtime, self._trunk, lease, self._writer)
        try:
            await self._term.serve(self._stopping)
        except* Exception:  # the process's edge
            log.exception("a term of dialling broke off")
            await asyncio.sleep(FAULT_PAUSE_S)
        finally:
            self._term = None
            await self._leave(lease)

    async def _takes(self, lease: Lease) -> bool:
        try:
            return await asyncio.to_thread(lease.take)
        except SQLAlchemyError as exc:
            if not (may_pass(exc) or is_contended(exc)):
                raise
            log.warning("Postgres does not answer", reason=str(exc).splitlines()[0])
            return False

    async def _leave(self, lease: Lease) -> None:
        """What was heard is stored before another looks at the switch, where that is possible."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self._writer.caught_up()
        try:
            await asyncio.to_thread(lease.give_back)
        except SQLAlchemyError as exc:
            log.warning("the lease is left to run out", reason=str(exc).splitlines()[0])

    def _notice(self) -> None:
        self._bell.ring()
        if self._term:
            self._term.notice()

    def _compare(self) -> None:
        if self._term:
            self._term.compare()


async def serve(platform: Platform) -> None:
    """Run until SIGTERM or SIGINT; where nobody carries calls there is nothing to do until then."""
    stopped = asyncio.Event()
    stop = stopped.set
    trunk = platform.runtime.providers.trunk
    telephony = Telephony(platform, trunk) if trunk else None
    if telephony:
        stop = telephony.stop
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    if telephony:
        await telephony.run()
    else:
        log.info("telephony rests: nobody carries calls here")
        await stopped.wait()


def platform_of(settings: Settings) -> Platform:
    """The collaborators of such a process.

    Where one freezes within a transaction, Postgres ends that as soon as the lease may have run
    out: else it would hold the trunk's row, and nobody could take the lease.
    """
    platform = bootstrap(settings, role="telephony", pool_size=CONNECTIONS)
    idle_ms = round(settings.call_lease_s * 1000)

    def hold_for_less(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = %s", (idle_ms,))
        connection.commit()

    event.listen(platform.engine, "connect", hold_for_less)
    return platform


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    configure_logs(settings(), role="telephony")
    platform = platform_of(settings())
    try:
        asyncio.run(serve(platform))
    finally:
        platform.close()
