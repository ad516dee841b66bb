"""What dispatchers do for families of jobs: cancels go down the tree, progress comes up.

Each job is changed in a transaction of its own, so nobody holds a parent while locking a child.
"""

import math
import time
from collections.abc import Collection
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.db.engine import is_outage
from stellwerk.errors import Conflict
from stellwerk.jobs import checkpoints, control
from stellwerk.jobs.runtime import Runtime, unit
from stellwerk.jobs.unstarted import ask_running, cancel_unstarted

log = structlog.get_logger()

BATCH = 500
BUDGET_S = 0.5  # of one turn's cancels; the dispatcher has other things to do

_ABANDONED = text("""
    SELECT c.id FROM jobs p JOIN jobs c ON c.parent_id = p.id
    WHERE p.cancels_children AND c.finished_at IS NULL AND c.cancel_requested_at IS NULL
    LIMIT :batch
""")
_FORGET = text("""
    UPDATE jobs SET cancels_children = false
    WHERE id IN (
        SELECT id FROM jobs p WHERE p.cancels_children AND NOT EXISTS (
            SELECT 1 FROM jobs c WHERE c.parent_id = p.id AND c.finished_at IS NULL
                AND c.cancel_requested_at IS NULL)
        LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED)
""")
# Only above jobs that run can anything have moved: as many as there are slots, however many wait.
_MOVED = text("""
    WITH RECURSIVE above AS (
        SELECT parent_id AS id FROM jobs WHERE status = 'running' AND parent_id IS NOT NULL
        UNION
        SELECT p.parent_id FROM above JOIN jobs p ON p.id = above.id
        WHERE p.parent_id IS NOT NULL)
    SELECT p.id, p.operation, p.progress, p.awaits ->> 'step' AS step, seen.*
    FROM above JOIN jobs p ON p.id = above.id,
        LATERAL (
            SELECT avg(CASE WHEN c.finished_at IS NULL THEN c.progress ELSE 100 END) / 100.0
                    AS fraction,
                count(*) FILTER (WHERE c.finished_at IS NOT NULL) AS ended, count(*) AS children
            FROM jobs c WHERE c.parent_id = p.id AND (
                p.awaits -> 'child_ids' = 'null' OR p.awaits -> 'child_ids' ? c.id::text)) seen
    WHERE p.status = 'waiting' AND p.awaits IS NOT NULL AND p.ending IS NULL AND seen.children > 0
""")
_TELL = text("""
    UPDATE jobs SET progress = :progress, message = :message, version = version + 1
    WHERE id = :id AND status = 'waiting' AND progress < :progress
    RETURNING id
""")


def cancel_abandoned(runtime: Runtime) -> int:
    """Cancel children whose parent was cancelled or failed, for a while; returns how many.

    A child's own children follow in the next turn, by the mark that its cancel leaves.
    """
    with runtime.sessions() as session:
        ids = session.scalars(_ABANDONED, {"batch": BATCH}).all()
    count = cancel_all(runtime, ids, budget_s=BUDGET_S, only_abandoned=True) if ids else 0
    with runtime.sessions.begin() as session:
        session.execute(_FORGET, {"batch": BATCH})
    return count


def cancel_all(
    runtime: Runtime,
    job_ids: Collection[UUID],
    *,
    budget_s: float = math.inf,
    only_abandoned: bool = False,
) -> int:
    """Cancel these, as far as they have not ended and `budget_s` lasts; returns how many.

    `only_abandoned`: those whose parent was retried since they were looked up are left alone.
    """
    stops_at = time.monotonic() + budget_s
    cancelled = cancel_unstarted(runtime, job_ids, only_abandoned=only_abandoned)
    cancelled |= ask_running(runtime, set(job_ids) - cancelled, only_abandoned=only_abandoned)
    for job_id in set(job_ids) - cancelled:
        if time.monotonic() > stops_at:
            break
        _cancel(runtime, job_id, only_abandoned=only_abandoned)
        cancelled.add(job_id)
    return len(cancelled)


def tell_parents(runtime: Runtime) -> int:
    """Show waiting parents how far their children are; returns how many moved."""
    with runtime.sessions() as session:
        rows = session.execute(_MOVED).mappings().all()
    return sum(_tell(runtime, row) for row in rows if row["operation"] in runtime.registry)


def _cancel(runtime: Runtime, child_id: UUID, *, only_abandoned: bool) -> None:
    try:
        control.cancel(runtime, child_id, only_abandoned=only_abandoned)
    except Conflict:
        return  # it has just ended by itself
    except SQLAlchemyError as exc:
        if is_outage(exc):
            raise
        log.exception("child not cancelled", job_id=str(child_id))


def _tell(runtime: Runtime, row: Any) -> int:
    operation = runtime.registry.get(row["operation"])
    progress = checkpoints.percent(operation, row["step"], float(row["fraction"]))
    if progress <= row["progress"]:
        return 0
    message = f"{row['ended']} of {row['children']} children have ended"
    values = {"id": row["id"], "progress": progress, "message": message}
    with unit(runtime) as work:
        told = work.session.execute(_TELL, values).scalars().all()
        work.changed |= set(told)
    return len(told)
