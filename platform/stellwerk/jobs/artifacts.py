"""Removing what a job stored."""

from uuid import UUID

from sqlalchemy import select

from stellwerk.jobs.model import JobArtifact
from stellwerk.jobs.runtime import Runtime, unit


def remove_artifacts(runtime: Runtime, job_id: UUID) -> None:
    """Remove a job's artifacts: first what is stored, then the rows that point to it.

    Raises ProviderUnavailable when the store does not answer; the rows are kept then.
    """
    with runtime.sessions() as session:
        rows = session.scalars(select(JobArtifact).where(JobArtifact.job_id == job_id)).all()
    for row in rows:
        runtime.providers.artifacts.delete(row.storage_key)
    with unit(runtime) as work:
        for row in rows:
            work.session.delete(row)
        work.changed.add(job_id)
