"""What a job's id tells of its age: UUIDv7 starts with 48 bits of milliseconds (RFC 9562, 5.7)."""

import time
from uuid import UUID

_TIME_SHIFT = 80


def age_s(job_id: UUID) -> float:
    """Seconds since the id was made."""
    return time.time() - (job_id.int >> _TIME_SHIFT) / 1000


def lowest_id_within(window_s: float) -> UUID:
    """A bound: ids above it were made at most so many seconds ago."""
    return UUID(int=int((time.time() - window_s) * 1000) << _TIME_SHIFT)
