"""Fills and empties the ledger with single statements, and counts in it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import gcd
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from benchmarks.stage import Stage

OPERATION = "diagnostics.echo"


@dataclass(frozen=True, slots=True)
class History:
    """Jobs that ended, until now; one of so many failed for good, one of so many is tagged."""

    count: int
    apart_s: int
    failed: int
    tagged: int


# A UUIDv7 (RFC 9562, 5.7) of the moment given in milliseconds.
_NEW_ID = """
    (lpad(to_hex({ms}), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
     || 'a' || substr(md5(random()::text), 1, 15))::uuid
"""
_NOW_MS = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_WAITING = text(f"""
    INSERT INTO jobs (id, operation, operation_version, owner_id, queue, payload, max_attempts)
    SELECT {_NEW_ID.format(ms=_NOW_MS)}, :operation, 1, :owner_id, :queue,
        CAST(:payload AS jsonb), 3
    FROM generate_series(1, :count)
""")
_HISTORY = text(f"""
    INSERT INTO jobs (id, operation, operation_version, owner_id, queue, payload, max_attempts,
        status, attempt, version, progress, result, error, worker, tags,
        created_at, run_at, started_at, finished_at)
    SELECT {_NEW_ID.format(ms="(extract(epoch FROM at) * 1000)::bigint")},
        :operation, 1, :owner_id + n % :owners, 'short', '{{"message": "hello"}}', 3,
        CASE WHEN n % :failed = 0 THEN 'failed' ELSE 'completed' END, 1, 3, 100,
        CASE WHEN n % :failed = 0 THEN NULL ELSE '{{"message": "hello"}}'::jsonb END,
        CASE WHEN n % :failed = 0 THEN
            '{{"code": "PROVIDER_UNAVAILABLE", "message": "x", "retryable": true}}'::jsonb END,
        'short@bench', CASE WHEN n % :tagged = 0 THEN '{{tagged}}' ELSE '{{}}' END::varchar[],
        at, at, at, at
    FROM (SELECT n, now() - (:count - n) * :apart_s * interval '1 second' AS at
          FROM generate_series(1, :count) n) made
""")
_HALF_WAY = text("""
    SELECT id FROM jobs ORDER BY id OFFSET (SELECT count(*) / 2 FROM jobs) LIMIT 1
""")
_FINISHED = text("SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL")
_IS_DRAINED = text("""
    SELECT NOT EXISTS (SELECT 1 FROM jobs WHERE status IN ('queued', 'running', 'waiting'))
""")
_RATE = text("""
    SELECT count(*) FILTER (WHERE finished_at > first)
        / extract(epoch FROM max(finished_at) - max(first))::float8
    FROM jobs, (SELECT percentile_disc(0.1) WITHIN GROUP (ORDER BY finished_at) AS first
                FROM jobs) tenth
""")


def add_waiting(
    stage: Stage, count: int, *, owner_id: int, queue: str = "short", wait_ms: int = 0
) -> None:
    """Due jobs that nobody was told of: the dispatcher finds them."""
    payload = {"message": "hello", "data": None, "wait_ms": wait_ms}
    values = {
        "operation": OPERATION,
        "owner_id": owner_id,
        "queue": queue,
        "payload": orjson.dumps(payload).decode(),
        "count": count,
    }
    _execute(stage, _WAITING, values)


def add_history(stage: Stage, history: History, *, owners: Sequence[int]) -> None:
    """Finished jobs of users with successive ids, in turns.

    Raises ValueError where only some of the users would have what lists are narrowed to.
    """
    if list(owners) != list(range(owners[0], owners[0] + len(owners))):
        raise ValueError(f"ids with gaps: {owners}")
    if any(gcd(each, len(owners)) > 1 for each in (history.failed, history.tagged)):
        raise ValueError(f"{history} has a divisor in common with {len(owners)} owners")
    values = {
        "operation": OPERATION,
        "owner_id": owners[0],
        "owners": len(owners),
        **asdict(history),
    }
    _execute(stage, _HISTORY, values)


def half_way(stage: Stage) -> UUID:
    """The job that has as many before it as after it."""
    with stage.platform.engine.connect() as connection:
        found: UUID = connection.execute(_HALF_WAY).scalar_one()
    return found


def finished(stage: Stage) -> int:
    """How many jobs have ended."""
    with stage.platform.engine.connect() as connection:
        return int(connection.execute(_FINISHED).scalar_one())


def is_drained(stage: Stage) -> bool:
    """Whether all have ended; cheap enough to ask while they run."""
    with stage.platform.engine.connect() as connection:
        return bool(connection.execute(_IS_DRAINED).scalar_one())


def rate(stage: Stage) -> float:
    """Jobs ended per second from the first tenth to the last one, by Postgres's clock."""
    with stage.platform.engine.connect() as connection:
        return float(connection.execute(_RATE).scalar_one())


def clear(stage: Stage) -> None:
    """No jobs, nothing in Redis."""
    _execute(stage, text("TRUNCATE jobs CASCADE"), {})
    stage.clear_redis()


def settle(stage: Stage) -> None:
    """What autovacuum and the checkpointer would do, done now rather than in the measurement."""
    with stage.platform.engine.connect() as connection:
        autocommitting = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommitting.execute(text("SET statement_timeout = 0"))
        autocommitting.execute(text("VACUUM ANALYZE"))
        autocommitting.execute(text("CHECKPOINT"))


def _execute(stage: Stage, statement: Any, values: dict[str, Any]) -> None:
    with stage.platform.engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(statement, values)
