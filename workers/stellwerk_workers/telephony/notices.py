"""Hears from Postgres that there is something to do for the telephony process."""

import asyncio
from collections.abc import Callable

import psycopg2
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.calls.settling import CHANNEL

RETRY_S = 1.0

log = structlog.get_logger()


class Notices:
    """One LISTENing connection; what it misses while it is gone is looked for anyway."""

    def __init__(self, engine: Engine, told: Callable[[], None]) -> None:
        self._engine = engine
        self._told = told

    async def run(self) -> None:
        """Listen until cancelled, on a new connection where one broke."""
        while True:
            try:
                await self._listen(await asyncio.to_thread(self._connect))
            except (SQLAlchemyError, psycopg2.Error) as exc:
                log.warning("not listening for calls", reason=str(exc).splitlines()[0])
            await asyncio.sleep(RETRY_S)

    def _connect(self) -> psycopg2.extensions.connection:
        pooled = self._engine.raw_connection()
        connection: psycopg2.extensions.connection = pooled.driver_connection  # type: ignore[assignment]  # psycopg2's, by the URL
        pooled.detach()
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        return connection

    async def _listen(self, connection: psycopg2.extensions.connection) -> None:
        loop, number = asyncio.get_running_loop(), connection.fileno()
        broken: asyncio.Future[None] = loop.create_future()
        loop.add_reader(number, self._read, connection, broken)
        self._told()  # of what came before
        try:
            await broken
        finally:
            loop.remove_reader(number)
            connection.close()

    def _read(
        self, connection: psycopg2.extensions.connection, broken: "asyncio.Future[None]"
    ) -> None:
        try:
            connection.poll()
        except psycopg2.Error as exc:
            if not broken.done():
                broken.set_exception(exc)
            return
        if connection.notifies:
            connection.notifies.clear()
            self._told()
