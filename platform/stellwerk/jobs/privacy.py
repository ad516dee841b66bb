"""What the ledger holds of a person: jobs with all that was recorded about them.

A job that is removed leaves a tombstone with its owner's id, which is the list of what is still to
be removed outside of Postgres: what Redis shows of it, and its files. Once that is done the
tombstone is nobody's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, text, update
from sqlalchemy.orm import Session

from stellwerk.db.engine import vault_of
from stellwerk.db.personal import BATCH, count, held, remove_batch
from stellwerk.jobs.indices import TAGGED
from stellwerk.jobs.model import (
    IdempotencyKey,
    Job,
    JobArtifact,
    JobLog,
    JobSignal,
    JobStep,
    JobWatcher,
    QueueState,
)
from stellwerk.jobs.remains import JobCost, JobTombstone
from stellwerk.jobs.sealing import is_sealed, unseal
from stellwerk.vault import Vault

# What is kept of a person's, and why; nothing of it tells whose it was.
KEPT: Mapping[str, str] = MappingProxyType(
    {"cost_lines": "Accounts have to be kept by law; their lines name nobody any more."}
)

_INNER = ("lease_token", "lease_until", "worker", "trace_context")
_REMOVE = text("""
    WITH old AS (
        SELECT id FROM jobs WHERE owner_id = :user_id AND finished_at IS NOT NULL
        ORDER BY id LIMIT :batch FOR UPDATE),
    stones AS (
        INSERT INTO job_tombstones (job_id, owner_id) SELECT id, :user_id FROM old
        ON CONFLICT DO NOTHING),
    gone AS (DELETE FROM jobs USING old WHERE jobs.id = old.id RETURNING jobs.id)
    SELECT count(*) FROM gone
""")


def export(session: Session, user_id: int) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """Jobs and everything recorded about them; of files their names, not what is in them."""
    jobs = select(Job.id).where(Job.owner_id == user_id)
    of_jobs: dict[str, tuple[Any, ColumnElement[bool]]] = {
        "steps": (JobStep, JobStep.job_id.in_(jobs)),
        "signals": (JobSignal, JobSignal.job_id.in_(jobs) | (JobSignal.sender_id == user_id)),
        "logs": (JobLog, JobLog.job_id.in_(jobs)),
        "artifacts": (JobArtifact, JobArtifact.job_id.in_(jobs)),
        "cost_lines": (JobCost, JobCost.owner_id == user_id),
        "idempotency_keys": (IdempotencyKey, IdempotencyKey.owner_id == user_id),
        "listening": (JobWatcher, JobWatcher.user_id == user_id),
        "paused_queues": (QueueState, QueueState.paused_by == user_id),
        "removed_jobs": (JobTombstone, JobTombstone.owner_id == user_id),
    }
    found = {
        name: _unsealed(session, held(session, model, which, without=("sealed_key",)))
        for name, (model, which) in of_jobs.items()
    }
    mine = held(session, Job, Job.owner_id == user_id, without=_INNER)
    return {"jobs": _unsealed(session, mine), **found}


def _unsealed(session: Session, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same with what sensitive jobs hold (sealing.py) as it was."""
    vault = vault_of(session)
    for row in rows:
        job_id = row.get("job_id", row.get("id"))
        yield {name: _opened(vault, job_id, value) for name, value in row.items()}


def _opened(vault: Vault, job_id: Any, value: Any) -> Any:
    if is_sealed(value):
        return unseal(vault, job_id, value)
    if isinstance(value, dict):  # an error, or the end of a wait
        return {name: _opened(vault, job_id, inner) for name, inner in value.items()}
    return value


def erase(session: Session, user_id: int) -> Mapping[str, int]:
    """Remove a batch of jobs that have ended, with steps, signals, logs and artifacts' rows."""
    mine = {"user_id": user_id, "batch": BATCH}
    cost_lines = update(JobCost).where(JobCost.owner_id == user_id).values(owner_id=None)
    signals = update(JobSignal).where(JobSignal.sender_id == user_id).values(sender_id=None)
    paused = update(QueueState).where(QueueState.paused_by == user_id).values(paused_by=None)
    return {
        "jobs": session.scalar(_REMOVE, mine) or 0,
        "idempotency_keys": remove_batch(
            session, IdempotencyKey, IdempotencyKey.owner_id == user_id
        ),
        "listening": remove_batch(session, JobWatcher, JobWatcher.user_id == user_id),
        "cost_lines": count(session.execute(cost_lines)),
        "signals_sent": count(session.execute(signals)),
        "paused_queues": count(session.execute(paused)),
    }


def adopt(session: Session, user_id: int, tags: Sequence[str]) -> None:
    """Make the system's own jobs with one of these tags theirs, so that they go with the others."""
    owned = update(Job).where(Job.owner_id.is_(None), Job.tags.overlap(tags), text(TAGGED))
    session.execute(owned.values(owner_id=user_id))


def live_jobs(session: Session, user_id: int, *, limit: int) -> Sequence[UUID]:
    """Some of a person's jobs that have not ended and were not told to."""
    live = select(Job.id).where(Job.owner_id == user_id, Job.status.in_(_LIVE))
    return session.scalars(live.where(Job.cancel_requested_at.is_(None)).limit(limit)).all()


def has_live_jobs(session: Session, user_id: int) -> bool:
    """Whether a job of theirs has not ended."""
    live = select(Job.id).where(Job.owner_id == user_id, Job.status.in_(_LIVE))
    return session.scalar(live.limit(1)) is not None


def removed_jobs(session: Session, user_id: int, *, limit: int) -> Sequence[UUID]:
    """Some of the jobs that were removed, and that Redis or the artifact store may still have."""
    query = select(JobTombstone.job_id).where(JobTombstone.owner_id == user_id)
    return session.scalars(query.limit(limit)).all()


def forget_owner(session: Session, job_ids: Sequence[UUID]) -> None:
    """Nothing of these removed jobs is left; their tombstones tell nobody's name any more."""
    stones = update(JobTombstone).where(JobTombstone.job_id.in_(job_ids))
    session.execute(stones.values(owner_id=None, storage_keys=None))


def remove_artifact_rows(session: Session, job_id: UUID) -> None:
    """The files of this job are gone."""
    session.execute(delete(JobArtifact).where(JobArtifact.job_id == job_id))


_LIVE = ("queued", "running", "waiting")
