"""An empty ledger and an empty Redis between tests, with nobody at work who could fill them."""

import time
from functools import cache

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.bootstrap import Platform, metadata
from stellwerk.db.engine import may_pass
from stellwerk.jobs.history import History

PATIENCE_S = 30.0
FULL_BYTES = 2**20  # from here on a table is cut off: its dead rows would slow down what follows

_USED = text("SELECT schemaname || '.' || sequencename FROM pg_sequences WHERE last_value > 0")


def empty(platform: Platform) -> None:
    """Nothing in the ledger nor in Redis, and the configuration's defaults."""
    # A worker that is up may hold a table and want the next, as this does the other way about.
    stops_at = time.monotonic() + PATIENCE_S
    while not _is_emptied(platform, is_last=time.monotonic() >= stops_at):
        pass
    platform.live_client.redis.flushdb()
    platform.configuration.refresh()
    platform.runtime.registry.history = History()  # how long jobs of earlier tests took


def _is_emptied(platform: Platform, *, is_last: bool) -> bool:
    """Whether nobody stood in the way; a deadlock costs both a second, so this may be repeated."""
    try:
        empty_ledger(platform)
    except SQLAlchemyError as exc:
        if is_last or not may_pass(exc):
            raise
        return False
    return True


def empty_ledger(platform: Platform) -> None:
    """Nothing in any table, and every sequence at its start.

    A TRUNCATE of all tables makes some 160 files; most tests leave few rows in few tables.
    """
    tables = _tables()
    with platform.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # no triggers
        connection.execute(text(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE"))
        sizes = _used(connection, tables)
        if max(sizes.values(), default=0) > FULL_BYTES:
            connection.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE"))
            return
        for table in sizes:
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608  names of our own
        for sequence in connection.scalars(_USED).all():
            connection.execute(text("SELECT setval(:name, 1, false)"), {"name": sequence})


@cache
def _tables() -> tuple[str, ...]:
    """Of every domain; `metadata` looks through all packages for them."""
    return tuple(metadata().tables)


def _used(connection: Connection, tables: tuple[str, ...]) -> dict[str, int]:
    """Tables that hold a row, and their sizes in bytes."""
    looks = (
        f"SELECT '{table}' AS name, pg_relation_size('{table}') AS bytes"  # noqa: S608  as above
        f" WHERE EXISTS (SELECT FROM {table})"
        for table in tables
    )
    rows = connection.execute(text(" UNION ALL ".join(looks)))
    return {row.name: row.bytes for row in rows}
