"""Every key and channel name in Redis. Braces keep a job's keys in one cluster slot."""

from uuid import UUID

PREFIX = "stellwerk"

EVENTS_CHANNEL = f"{PREFIX}:events"  # messages start with the job id, 36 characters
EPOCH = f"{PREFIX}:epoch"  # gone when Redis lost its data
SESSIONS_SWEPT = f"{PREFIX}:sessions:swept"  # while it stands, copies of sessions are believed


def job_status(job_id: UUID | str) -> str:
    """Hash: v (version), o (owner), d (document, JSON)."""
    return f"{PREFIX}:job:{{{job_id}}}"


def job_events(job_id: UUID | str) -> str:
    """Stream of events; ids are `<version>-<sequence>`."""
    return f"{PREFIX}:job:{{{job_id}}}:events"


def session(session_id: UUID | str) -> str:
    """String: the cached user of a signed-in session, JSON."""
    return f"{PREFIX}:session:{{{session_id}}}"
