"""Reads of schedules and of the times they were due, always of one owner."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from stellwerk.db.engine import vault_of
from stellwerk.errors import NotFound
from stellwerk.jobs.model import Job
from stellwerk.jobs.states import JobStatus
from stellwerk.schedules import payloads
from stellwerk.schedules.model import FireOutcome, Misfire, Overlap, Schedule, ScheduleFire

NEXT_TIMES = 5  # shown of each schedule


def schedules(
    session: Session, owner_id: int, *, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """The owner's schedules, newest first, without what is sensitive in their payloads."""
    query = _shown(owner_id).order_by(Schedule.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Schedule.id < after)
    return [payloads.hidden(found) for found in _documents(session, query)]


def schedule(session: Session, owner_id: int, schedule_id: UUID) -> dict[str, Any]:
    """One of the owner's schedules; raises NotFound."""
    found = _documents(session, _shown(owner_id).where(Schedule.id == schedule_id))
    if not found:
        raise _not_found(schedule_id)
    payload = payloads.opened(vault_of(session), schedule_id, found[0]["payload"])
    return {**found[0], "payload": payload}


def own(session: Session, owner_id: int, schedule_id: UUID) -> Schedule:
    """The row of one of the owner's schedules, locked; raises NotFound."""
    query = select(Schedule).where(Schedule.id == schedule_id, Schedule.owner_id == owner_id)
    found = session.scalar(query.with_for_update())
    if found is None:
        raise _not_found(schedule_id)
    return found


def fires(
    session: Session, schedule_id: UUID, *, before: datetime | None, limit: int
) -> list[dict[str, Any]]:
    """The times at which a schedule was due, newest first."""
    query = (
        select(ScheduleFire, Job.status)
        .outerjoin(Job, Job.id == ScheduleFire.job_id)
        .where(ScheduleFire.schedule_id == schedule_id)
        .order_by(ScheduleFire.fire_at.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(ScheduleFire.fire_at < before)
    return [_fire(found, status) for found, status in session.execute(query)]


def _shown(owner_id: int) -> Select[*tuple[Any, ...]]:
    latest = (
        select(ScheduleFire)
        .where(ScheduleFire.schedule_id == Schedule.id)
        .order_by(ScheduleFire.fire_at.desc())
        .limit(1)
        .lateral()
    )
    last = aliased(ScheduleFire, latest)
    return (
        select(Schedule, last, Job.status, func.now())
        .outerjoin(last, last.schedule_id == Schedule.id)
        .outerjoin(Job, Job.id == last.job_id)
        .where(Schedule.owner_id == owner_id)
    )


def _documents(session: Session, query: Select[*tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [
        _document(row, _fire(last, status) if last else None, now)
        for row, last, status, now in session.execute(query)
    ]


def _document(row: Schedule, last: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    coming = [] if row.paused_at else row.timing.next_times(now, NEXT_TIMES)
    kept = {column.name: getattr(row, column.name) for column in Schedule.__table__.columns}
    return kept | {
        "overlap": Overlap(row.overlap),
        "misfire": Misfire(row.misfire),
        "paused": row.paused_at is not None,
        "next_fire_times": coming,
        "last_fire": last,
    }


def _fire(found: ScheduleFire, status: str | None) -> dict[str, Any]:
    kept = {column.name: getattr(found, column.name) for column in ScheduleFire.__table__.columns}
    shown = {"outcome": FireOutcome(found.outcome), "job_status": status and JobStatus(status)}
    return kept | shown


def _not_found(schedule_id: UUID) -> NotFound:
    return NotFound(f"You have no schedule {schedule_id}.")
