"""Removing jobs that ended long ago: a batch in each transaction, a tombstone for each job.

Kept beyond their time are jobs that rows of a domain refer to (a video is made of its job's files)
and children of a job that goes on or may be retried, since it would make them once more. Cost
lines stay for good, so that totals stay right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from uuid import UUID

from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.orm import Session

from stellwerk.clock import lowest_id_since, utc_now
from stellwerk.db.base import Base
from stellwerk.jobs.model import Job
from stellwerk.settings import Settings

BATCH = 500
FIRST = UUID(int=0)

# Files of attempts that were lost, failed or superseded are named nowhere: where there was such an
# attempt, the job's whole folder is looked for.
# Walks the primary key, which sorts by age: no index of its own that every finish would pay for.
_PURGE = """
    WITH old AS (
        SELECT j.id, j.owner_id, j.status, j.attempt FROM jobs j
        WHERE j.id > :after AND j.id < :made_before AND j.status = ANY(:statuses)
            AND j.finished_at < now() - :kept
            AND NOT EXISTS (SELECT 1 FROM jobs parent
                            WHERE parent.id = j.parent_id AND parent.status <> 'completed')
            $unless_referred
        ORDER BY j.id LIMIT :batch FOR UPDATE OF j SKIP LOCKED),
    files AS (
        SELECT a.job_id, array_agg(a.storage_key) AS keys
        FROM job_artifacts a JOIN old ON old.id = a.job_id GROUP BY a.job_id),
    stones AS (
        INSERT INTO job_tombstones (job_id, owner_id, storage_keys)
        SELECT old.id, old.owner_id, coalesce(files.keys, CASE WHEN old.attempt > 1
                OR old.attempt = 1 AND old.status <> 'completed' THEN ARRAY[]::text[] END)
            FROM old LEFT JOIN files ON files.job_id = old.id
        ON CONFLICT DO NOTHING),
    gone AS (DELETE FROM jobs USING old WHERE jobs.id = old.id RETURNING jobs.id)
    SELECT id FROM gone ORDER BY id
"""
_FILES = text("""
    SELECT job_id FROM job_tombstones WHERE storage_keys IS NOT NULL
    ORDER BY job_id LIMIT :batch
""")
_FORGET_FILES = text("UPDATE job_tombstones SET storage_keys = NULL WHERE job_id = ANY(:ids)")
_FORGET = text("""
    DELETE FROM job_tombstones WHERE job_id IN (
        SELECT job_id FROM job_tombstones WHERE purged_at < now() - :kept
            AND storage_keys IS NULL
        ORDER BY purged_at LIMIT :batch)
""")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long ended jobs of some states are kept."""

    statuses: tuple[str, ...]
    kept: timedelta


def retentions(settings: Settings) -> tuple[Retention, ...]:
    """What is kept how long: failures longer than the rest."""
    return (
        Retention(("completed", "cancelled"), timedelta(days=settings.keep_completed_days)),
        Retention(("failed",), timedelta(days=settings.keep_failed_days)),
    )


def purge(session: Session, retention: Retention, after: UUID = FIRST) -> list[UUID]:
    """Remove a batch of jobs made after this one; returns their ids, none at the end."""
    values = {
        "after": after,
        "made_before": lowest_id_since(utc_now() - retention.kept),
        "statuses": list(retention.statuses),
        "kept": retention.kept,
        "batch": BATCH,
    }
    return list(session.scalars(_purge(), values))


def with_files(session: Session) -> Sequence[UUID]:
    """Purged jobs in whose folders of the artifact store there may be files still; a batch."""
    return session.scalars(_FILES, {"batch": BATCH}).all()


def files_removed(session: Session, job_ids: Sequence[UUID]) -> None:
    """The files of these jobs are gone."""
    session.execute(_FORGET_FILES, {"ids": list(job_ids)})


def forget_tombstones(session: Session, settings: Settings) -> int:
    """Remove a batch of old tombstones; their jobs answer 404 from now on."""
    kept = timedelta(days=settings.keep_tombstones_days)
    result = session.execute(_FORGET, {"kept": kept, "batch": 2 * BATCH})
    return result.rowcount if isinstance(result, CursorResult) else 0


@cache
def _purge() -> TextClause:
    referring = [
        f"AND NOT EXISTS (SELECT 1 FROM {table} r WHERE r.{column} = j.id)"
        for table, column in _referring()
    ]
    return text(_PURGE.replace("$unless_referred", "\n".join(referring)))


def _referring() -> list[tuple[str, str]]:
    """Tables and columns that refer to jobs and do not say what becomes of them without one."""
    keys = [key for table in Base.metadata.sorted_tables for key in table.foreign_keys]
    return [
        (key.parent.table.name, key.parent.name)
        for key in keys
        if key.references(Job.__table__) and key.ondelete is None  # type: ignore[arg-type]  # a Table
    ]
