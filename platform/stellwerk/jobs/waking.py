"""Sends waiting jobs on: their signal came, or the children they wait for have ended.

Whoever locks several jobs of a family locks a child before its parent.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text

from stellwerk.jobs.awaited import any_awaited_live
from stellwerk.jobs.runtime import Unit
from stellwerk.jobs.states import JobStatus

# `wait_signal` stays until the claim, which by it keeps the progress; and the job keeps its place
# before others that came after it.
_WAKE = text("""
    UPDATE jobs SET status = 'queued', version = version + 1, published_at = NULL, wait_until = NULL
    WHERE id = :id
""")
# Locked whatever its state is: one about to wait then sees this end, or is seen waiting here.
# It may wait for ten thousand: they are looked through where they are stored.
_LOCK_PARENT = text("""
    SELECT status, CAST(awaits ->> 'fails_fast' AS boolean) AS fails_fast,
        awaits -> 'child_ids' = 'null'
            OR awaits -> 'child_ids' ?| CAST(:children AS text[]) AS waits_for_them
    FROM jobs WHERE id = :id FOR NO KEY UPDATE
""")


def wake(work: Unit, job_id: UUID) -> None:
    """Queue a waiting job that the caller locked."""
    work.session.execute(_WAKE, {"id": job_id})
    work.changed.add(job_id)


def wake_parent(work: Unit, parent_id: UUID, children: Collection[UUID], ended: JobStatus) -> None:
    """In the transaction that ends children: wake their parent if it waited for these ends only.

    Its siblings' ends come one after another through the lock, so the last one sees all others.
    """
    values = {"id": parent_id, "children": [str(child_id) for child_id in children]}
    parent = work.session.execute(_LOCK_PARENT, values).one_or_none()
    if parent is None or parent.status != JobStatus.WAITING or not parent.waits_for_them:
        return
    has_fallen = parent.fails_fast and ended is not JobStatus.COMPLETED
    if has_fallen or not any_awaited_live(work.session, parent_id):
        wake(work, parent_id)
