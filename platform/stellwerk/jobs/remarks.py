"""What goes on while a job waits, said by whoever carries that out."""

from uuid import UUID

from sqlalchemy import text

from stellwerk.jobs.runtime import Unit

_REMARK = text("""
    UPDATE jobs SET version = version + 1, message = :message
    WHERE id = :id AND status = 'waiting' AND message <> :message RETURNING id
""")


def remark(work: Unit, job_id: UUID, message: str) -> None:
    """Show watchers of a waiting job a new message; one that does not wait keeps its own.

    It is stored and shown in clear, of a sensitive job too: nothing secret belongs into it.
    """
    if work.session.scalar(_REMARK, {"id": job_id, "message": message}):
        work.changed.add(job_id)
