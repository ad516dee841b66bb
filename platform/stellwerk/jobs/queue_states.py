"""How queues are, and pausing them. A paused queue accepts jobs, and none of them starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action, actor_of
from stellwerk.audit.trail import record
from stellwerk.jobs.runtime import Runtime, unpublish

log = structlog.get_logger()

COUNTED_UP_TO = 100_000  # jobs of a kind; more are not told apart

_DEPTHS = text("""
    SELECT asked.name, state.paused_at, state.paused_by, waiting.number AS waiting,
        scheduled.number AS scheduled, outstanding.number AS outstanding,
        running.number AS running, extract(epoch FROM now() - oldest.run_at) AS oldest_s
    FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS asked(name, position)
    LEFT JOIN queue_states state ON state.name = asked.name
    CROSS JOIN LATERAL (SELECT count(*) AS number FROM (
        SELECT 1 FROM jobs WHERE queue = asked.name AND status = 'queued'
            AND published_at IS NULL AND run_at <= now() LIMIT :most) w) waiting
    CROSS JOIN LATERAL (SELECT count(*) AS number FROM (
        SELECT 1 FROM jobs WHERE queue = asked.name AND status = 'queued'
            AND run_at > now() LIMIT :most) s) scheduled
    CROSS JOIN LATERAL (SELECT count(*) AS number FROM (
        SELECT 1 FROM jobs WHERE queue = asked.name AND status = 'queued'
            AND published_at IS NOT NULL LIMIT :most) o) outstanding
    CROSS JOIN LATERAL (SELECT count(*) AS number FROM (
        SELECT 1 FROM jobs WHERE queue = asked.name AND status = 'running' LIMIT :most) r) running
    LEFT JOIN LATERAL (SELECT run_at FROM jobs WHERE queue = asked.name AND status = 'queued'
        AND run_at <= now() ORDER BY run_at LIMIT 1) oldest ON TRUE
    ORDER BY asked.position
""")
_PAUSE = text("""
    INSERT INTO queue_states (name, paused_at, paused_by) VALUES (:name, now(), :by)
    ON CONFLICT (name) DO UPDATE SET paused_at = now(), paused_by = :by
        WHERE queue_states.paused_at IS NULL
    RETURNING name
""")
_RESUME = text("""
    UPDATE queue_states SET paused_at = NULL, paused_by = NULL
    WHERE name = :name AND paused_at IS NOT NULL RETURNING name
""")
# What is published counts against limits, which hold in other queues too; and it would have to be
# published again, since workers drop the wake-ups that they find while the queue is paused.
_UNPUBLISH = unpublish("queue = :name")


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """A queue's jobs; each number is exact up to 100,000."""

    name: str
    paused_at: datetime | None
    paused_by: int | None
    waiting: int  # due, in the ledger
    scheduled: int  # not due yet, retries included
    outstanding: int  # published, not claimed yet
    running: int
    oldest_s: float | None  # how long the first of those that are due has been so


def depths(runtime: Runtime, names: Sequence[str]) -> list[QueueDepth]:
    """The queues as they are, in the order they are asked for."""
    values = {"names": list(names), "most": COUNTED_UP_TO}
    with runtime.sessions() as session:
        rows = session.execute(_DEPTHS, values).mappings().all()
    return [QueueDepth(**{**row, "oldest_s": _seconds(row["oldest_s"])}) for row in rows]


def pause(runtime: Runtime, name: str, by: int | None) -> None:
    """Let no further job of the queue start; what runs goes on. Again changes nothing."""
    with runtime.sessions.begin() as session:
        changed = session.execute(_PAUSE, {"name": name, "by": by}).first()
        if changed:
            session.execute(_UNPUBLISH, {"name": name})
            _note(session, Action.QUEUE_PAUSED, name, by)


def resume(runtime: Runtime, name: str, by: int | None) -> None:
    """Let the queue go on. Again changes nothing."""
    with runtime.sessions.begin() as session:
        changed = session.execute(_RESUME, {"name": name}).first()
        if changed:
            session.execute(_UNPUBLISH, {"name": name})
            _note(session, Action.QUEUE_RESUMED, name, by)


def _note(session: Session, action: Action, name: str, by: int | None) -> None:
    record(session, action=action, actor=actor_of(by), target=f"queue:{name}")
    log.info(action.value, queue=name, user_id=by)


def _seconds(value: object) -> float | None:
    return None if value is None else round(float(str(value)), 3)
