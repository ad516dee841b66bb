"""When a job will probably be finished, from how long its like took lately."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from stellwerk.jobs.queues import slots
from stellwerk.jobs.runtime import Runtime

# The median of the last runs; ahead of this job in its queue stand the older queued ones.
_ESTIMATE = text("""
    WITH this AS (SELECT * FROM jobs WHERE id = :id),
    typical AS (
        SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), :guess_s) AS seconds
        FROM (SELECT extract(epoch FROM j.finished_at - j.started_at) AS seconds
              FROM jobs j, this WHERE j.operation = this.operation AND j.status = 'completed'
              ORDER BY j.id DESC LIMIT 50) lately),
    ahead AS (
        SELECT count(*) AS number FROM (
            (SELECT 1 FROM jobs j, this WHERE j.queue = this.queue AND j.status = 'queued'
                AND j.run_at < this.run_at LIMIT 1000)
            UNION ALL
            (SELECT 1 FROM jobs j, this WHERE j.queue = this.queue AND j.status = 'running'
                LIMIT 1000)) older)
    SELECT greatest(this.run_at, now())
        + make_interval(secs => typical.seconds * (1 + ahead.number / :slots))
    FROM this, typical, ahead
""")


def estimated_completion(
    session: Session, runtime: Runtime, job_id: UUID, *, guess_s: float
) -> datetime | None:
    """The probable end; `guess_s` is how long one takes where none was ever finished."""
    queue = session.execute(text("SELECT queue FROM jobs WHERE id = :id"), {"id": job_id}).scalar()
    values = {"id": job_id, "guess_s": guess_s, "slots": slots(runtime.settings, str(queue))}
    end: datetime | None = session.execute(_ESTIMATE, values).scalar()
    return end
