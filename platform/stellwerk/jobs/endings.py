"""What belongs to a job's end, whoever ends it: in the same transaction, or not at all."""

from typing import Any

from sqlalchemy import Row

from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Operation
from stellwerk.jobs.runtime import Runtime, Unit

# Of a row of `jobs`: whether anybody wants to hear of its end. Statements that end a job return
# it, so that the end of a job that nobody asked about costs one look into a small index.
HEARD = """(jobs.callback_url IS NOT NULL
    OR EXISTS (SELECT 1 FROM job_watchers w WHERE w.user_id = jobs.owner_id))"""


def after_end(
    runtime: Runtime, work: Unit, operation: Operation | None, ended: Row[Any] | None
) -> None:
    """Run the operation's own hook, then tell the listeners; `ended`: `id` and `is_heard`."""
    if ended is None:
        return
    work.changed.add(ended.id)
    hook = operation.on_end if operation else None
    if not hook and not ended.is_heard:
        return
    job = work.session.get_one(Job, ended.id, populate_existing=True)
    if hook:
        hook(work.session, job, runtime)
    if ended.is_heard:
        for listener in runtime.ended:
            listener(runtime, work, job)
