"""Every key and channel name in Redis.

Braces keep a job's keys in one cluster slot. The script that answers a poll touches a session and
a job at once, so live status as a whole needs a Redis that is not a cluster; Celery does too.
"""

from uuid import UUID

PREFIX = "stellwerk"

EVENTS_CHANNEL = f"{PREFIX}:events"  # messages: job id or topic, owner or -, event id, type, data
EPOCH = f"{PREFIX}:epoch"  # gone when Redis lost its data
WORKERS = f"{PREFIX}:{{workers}}"  # hash: name of a worker to its details, JSON
WORKERS_SEEN = f"{PREFIX}:{{workers}}:seen"  # sorted set: when each was last heard of
SESSIONS_SWEPT = f"{PREFIX}:sessions:swept"  # while it stands, copies of sessions are believed
QUEUE_DEPTHS = f"{PREFIX}:queues:depths"  # JSON: jobs that are due and unclaimed, by queue


def job_status(job_id: UUID | str) -> str:
    """Hash: v (version), o (owner), d (document, JSON)."""
    return f"{PREFIX}:job:{{{job_id}}}"


def job_events(job_id: UUID | str) -> str:
    """Stream of events; ids are `<version>-<sequence>`."""
    return f"{PREFIX}:job:{{{job_id}}}:events"


def session(session_id: UUID | str) -> str:
    """String: the cached user of a signed-in session, JSON."""
    return f"{PREFIX}:session:{{{session_id}}}"


def rate(rate_class: str, who: int | str) -> str:
    """String: when all that somebody took of a rate will be free again; see limits.py."""
    return f"{PREFIX}:rate:{rate_class}:{who}"


def api_key(key_hash: str) -> str:
    """String: the cached user of an API key, JSON."""
    return f"{PREFIX}:api-key:{{{key_hash}}}"


def copy(kind: str, name: str) -> str:
    """String: a sealed copy of something in the ledger, or `-`."""
    return f"{PREFIX}:copy:{kind}:{{{name}}}"
