"""Cancels many jobs at once: those that nothing belongs to, and those that workers hold.

Nothing: no attempt, no hook (so their operations are known here), nobody to tell. What a worker
holds is only marked, and stops soon.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from stellwerk.jobs import lifecycle
from stellwerk.jobs.endings import HEARD
from stellwerk.jobs.interruptions import HowStopped
from stellwerk.jobs.operation import Registry
from stellwerk.jobs.runtime import Runtime, unit
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.waking import wake_parent

_CANCEL = text(f"""
    WITH plain AS (
        SELECT id FROM jobs
        WHERE id = ANY(:ids) AND status = 'queued' AND attempt = 0 AND ending IS NULL
            AND operation = ANY(:unhooked) AND NOT {HEARD}
            AND NOT has_children AND (NOT :only_abandoned OR EXISTS (
                SELECT 1 FROM jobs p WHERE p.id = jobs.parent_id AND p.cancels_children))
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED),
    ended AS (
        UPDATE jobs SET status = 'cancelled', error = :error, message = :message,
            version = version + 1, cancel_requested_at = coalesce(cancel_requested_at, now()),
            finished_at = now(), published_at = NULL, reserved_cost = 0
        FROM plain WHERE jobs.id = plain.id RETURNING jobs.id, jobs.parent_id, jobs.depth),
    logged AS (
        INSERT INTO job_logs (job_id, attempt, level, message)
        SELECT id, 0, 'info', :line FROM ended)
    SELECT id, parent_id, depth FROM ended
""").bindparams(bindparam("error", type_=JSONB))

_ASK = text("""
    UPDATE jobs SET cancel_requested_at = now(), version = version + 1, message = 'cancelling'
    WHERE id = ANY(ARRAY(
        SELECT id FROM jobs
        WHERE id = ANY(:ids) AND status = 'running' AND cancel_requested_at IS NULL
            AND NOT has_children AND (NOT :only_abandoned OR EXISTS (
                SELECT 1 FROM jobs p WHERE p.id = jobs.parent_id AND p.cancels_children))
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING id
""")


def cancel_unstarted(
    runtime: Runtime, job_ids: Collection[UUID], *, only_abandoned: bool
) -> set[UUID]:
    """Cancel those of these jobs that are so; returns which. See `families.cancel_all`."""
    outcome = lifecycle.cancelled(HowStopped.BEFORE_START)
    error = outcome.error or {}
    values = {
        "ids": list(job_ids),
        "only_abandoned": only_abandoned,
        "unhooked": _unhooked(runtime.registry),
        "error": error,
        "message": error["message"],
        "line": f"cancelled {HowStopped.BEFORE_START.told}",
    }
    with unit(runtime) as work:
        rows = work.session.execute(_CANCEL, values).all()
        ended = {row.id for row in rows}
        work.changed |= ended
        for _, parent_id in sorted({(-row.depth, row.parent_id) for row in rows if row.parent_id}):
            wake_parent(work, parent_id, ended, JobStatus.CANCELLED)
    return ended


def ask_running(runtime: Runtime, job_ids: Collection[UUID], *, only_abandoned: bool) -> set[UUID]:
    """Have those of these jobs stopped that workers hold; returns which."""
    values = {"ids": list(job_ids), "only_abandoned": only_abandoned}
    with unit(runtime) as work:
        asked = set(work.session.scalars(_ASK, values))
        work.changed |= asked
    return asked


def _unhooked(registry: Registry) -> list[str]:
    return [operation.name for operation in registry if not operation.on_end]
