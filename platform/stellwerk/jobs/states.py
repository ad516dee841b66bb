"""The states of a job and every move between them.

This package alone makes them: `submission` and `unstarted` before the first attempt, `claims`,
`outcomes` and `lifecycle` for attempts, `suspension` and `waking` for waits, `dispatch` for what a
worker left, `control` for people.
"""

from enum import StrEnum


class JobStatus(StrEnum):
    """What the ledger stores."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PublicStatus(StrEnum):
    """What clients see: two more, derived from `run_at` and earlier attempts."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})
LIVE = frozenset(JobStatus) - TERMINAL

# (from, to): what makes the job move
TRANSITIONS: dict[tuple[JobStatus, JobStatus], str] = {
    (JobStatus.QUEUED, JobStatus.RUNNING): "a worker claims it",
    (JobStatus.QUEUED, JobStatus.CANCELLED): "it is cancelled before it ran",
    (JobStatus.RUNNING, JobStatus.COMPLETED): "the handler returns",
    (
        JobStatus.RUNNING,
        JobStatus.FAILED,
    ): "a final error, the last attempt, or its workers died",
    (JobStatus.RUNNING, JobStatus.CANCELLED): "a requested cancel takes effect",
    (JobStatus.RUNNING, JobStatus.QUEUED): "a retry, a hand-over, or an expired lease",
    (JobStatus.RUNNING, JobStatus.WAITING): "it waits for a signal and gives its worker back",
    (JobStatus.WAITING, JobStatus.QUEUED): "the signal or its deadline arrives, or an undo is due",
    (JobStatus.WAITING, JobStatus.CANCELLED): "it is cancelled while it waits",
    (JobStatus.FAILED, JobStatus.QUEUED): "somebody retries it",
    (JobStatus.CANCELLED, JobStatus.QUEUED): "somebody retries it",
}


def sources(target: JobStatus) -> frozenset[JobStatus]:
    """The states from which `target` can be reached."""
    return frozenset(start for start, end in TRANSITIONS if end is target)


def public_status(
    stored: JobStatus, *, is_ahead: bool, was_tried: bool, is_undoing: bool = False
) -> PublicStatus:
    """The state shown to clients.

    `is_ahead`: run_at lies in the future; `was_tried`: an attempt was made; `is_undoing`: the
    job is being rolled back before it ends.
    """
    if stored is not JobStatus.QUEUED:
        return PublicStatus(stored.value)
    if is_undoing or not is_ahead:
        return PublicStatus.RUNNING if is_undoing else PublicStatus.QUEUED
    return PublicStatus.RETRYING if was_tried else PublicStatus.SCHEDULED


def state_diagram() -> str:
    """The transition table as a Mermaid state diagram (docs/job_states.md is made of it)."""
    lines = ["stateDiagram-v2", "    [*] --> queued: submitted"]
    lines += [f"    {start} --> {end}: {why}" for (start, end), why in TRANSITIONS.items()]
    lines += [f"    {state} --> [*]" for state in JobStatus if state in TERMINAL]
    return "\n".join(lines)
