"""What became of jobs that real workers run."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from embedded import wait_until
from stellwerk.bootstrap import Platform
from stellwerk.jobs import queries
from stellwerk.jobs.submission import Submission, submit

ENDED = {"completed", "failed", "cancelled"}


def document(platform: Platform, job_id: UUID) -> dict[str, Any]:
    """The job as clients see it."""
    with platform.runtime.sessions() as session:
        return queries.change(session, platform.runtime.registry, job_id).document


def ended(platform: Platform, job_id: UUID, timeout_s: float = 60) -> dict[str, Any]:
    """The job, once it has ended."""
    wait_until(lambda: document(platform, job_id)["status"] in ENDED, timeout_s=timeout_s)
    return document(platform, job_id)


def outcomes(
    platform: Platform, operation: str, payloads: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Jobs of these payloads, run side by side, once all have ended."""
    ids = [
        submit(platform.runtime, Submission(operation, dict(payload), owner_id=None))
        for payload in payloads
    ]
    return [ended(platform, job_id) for job_id in ids]
