"""What belongs to a job's end, whoever ends it: in the same transaction, or not at all."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from stellwerk.jobs.operation import Operation
from stellwerk.jobs.runtime import Runtime, Unit
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.telling import tell_end
from stellwerk.jobs.waking import wake_parent

# Of a row of `jobs`: whether anybody wants to hear of its end. Statements that end a job return
# it, so that the end of a job that nobody asked about costs one look into a small index.
HEARD = """(jobs.callback_url IS NOT NULL
    OR EXISTS (SELECT 1 FROM job_watchers w WHERE w.user_id = jobs.owner_id))"""

ENDED = f"id, parent_id, status, {HEARD} AS is_heard"  # what `after_end` is given

_ABANDON = text("""
    UPDATE jobs SET cancels_children = true
    WHERE id = :id AND EXISTS (SELECT 1 FROM jobs c
        WHERE c.parent_id = :id AND c.finished_at IS NULL)
""")


def after_end(
    runtime: Runtime, work: Unit, operation: Operation | None, ended: Row[Any] | None
) -> None:
    """Run the operation's own hook, tell the listeners, and see to children and parent.

    `operation`: None where it is not known here. `ended`: what the statement that ended it
    returned, by ENDED.
    """
    if ended is None:
        return
    work.changed.add(ended.id)
    tell_end(runtime, work, operation, ended)
    if ended.status != JobStatus.COMPLETED:
        abandon_children(work, ended.id)
    if ended.parent_id:
        wake_parent(work, ended.parent_id, {ended.id}, JobStatus(ended.status))


def abandon_children(work: Unit, job_id: UUID) -> None:
    """Its children that are still live are to be cancelled, which a dispatcher does soon.

    Those of a completed job are not: nobody waits for them, and they go on by themselves.
    """
    work.session.execute(_ABANDON, {"id": job_id})
