"""Who waits for whom in the ledger."""

from sqlalchemy import text

from stellwerk.bootstrap import Platform

_AWAITED = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


def waits_for_a_lock(platform: Platform) -> int:
    """How many transactions wait for a lock of another."""
    with platform.engine.begin() as connection:
        return int(connection.scalars(_AWAITED).one())
