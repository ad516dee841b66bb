"""Submitting what schedules are due for. Any number of dispatchers may do it at once.

A schedule's row is locked while it is looked at (SKIP LOCKED: dispatchers never wait for each
other), and the row of each time is unique, so every time happens once, whoever is killed.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from stellwerk.db.engine import is_contended, is_outage
from stellwerk.errors import NotPermitted, StellwerkError
from stellwerk.identity.model import User
from stellwerk.identity.permissions import Role, permissions_of
from stellwerk.jobs.budget import while_time_lasts
from stellwerk.jobs.runtime import Runtime, Unit, unit
from stellwerk.jobs.submission import Submission, accept, checked_payload
from stellwerk.schedules import payloads
from stellwerk.schedules.model import FireOutcome, Misfire, Overlap, Schedule, ScheduleFire

log = structlog.get_logger()

BATCH = 100
MISFIRE_AFTER_S = 60.0  # later than this, a time counts as missed

# In no order, batch by batch: one that is stuck ends a sweep, and is not the first of every sweep.
_DUE = text("""
    SELECT id FROM (
        SELECT id FROM schedules WHERE next_fire_at <= :now
        ORDER BY next_fire_at LIMIT :batch) due
    ORDER BY random()
""")
# Those whose turn it cannot be are left out: a batch of them would stand before all others.
_WAITING = text("""
    SELECT id FROM (
        SELECT s.id FROM schedules s JOIN (
            SELECT schedule_id, min(fire_at) AS since FROM schedule_fires WHERE outcome = 'waiting'
            GROUP BY schedule_id) w ON w.schedule_id = s.id
        WHERE s.paused_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM jobs WHERE schedule_id = s.id
                AND status IN ('queued', 'running', 'waiting'))
        ORDER BY w.since LIMIT :batch) waiting
    ORDER BY random()
""")
_IS_BUSY = text("""
    SELECT EXISTS (SELECT 1 FROM jobs WHERE schedule_id = :id
        AND status IN ('queued', 'running', 'waiting'))
""")


def fire_due(runtime: Runtime, now: datetime | None = None, *, batch: int = BATCH) -> int:
    """Submit what is due by `now` (None: Postgres's clock); returns how many times were heeded.

    It takes a while at most (budget.py), and as long for times that wait. `batch`: how many
    schedules are looked at, and how many waiting times besides.
    """
    with runtime.sessions() as session:
        now = now or session.scalars(select(func.now())).one()
        due = session.scalars(_DUE, {"now": now, "batch": batch}).all()
        waiting = session.scalars(_WAITING, {"batch": batch}).all()
    heeded = sum(_unless_broken(_alone, runtime, one, now) for one in while_time_lasts(due))
    return heeded + sum(_unless_broken(_release, runtime, one) for one in while_time_lasts(waiting))


def run_now(runtime: Runtime, work: Unit, schedule: Schedule) -> UUID:
    """Submit its job at once, whatever its timing and overlap policy say; returns the job's id.

    Raises what `stellwerk.jobs.submission.accept` raises.
    """
    job_id = _submit(runtime, work, schedule)
    now = work.session.scalars(select(func.clock_timestamp())).one()
    work.session.add(
        ScheduleFire(
            schedule_id=schedule.id,
            fire_at=now,
            outcome=FireOutcome.SUBMITTED,
            job_id=job_id,
            by_hand=True,
        )
    )
    return job_id


def _unless_broken(heed: Callable[..., int], runtime: Runtime, schedule_id: UUID, *of: Any) -> int:
    """What `heed` returns; a schedule that cannot be heeded must not stop the others."""
    try:
        return heed(runtime, schedule_id, *of)
    except Exception as exc:  # a domain's hook or a time zone, at the edge of the dispatcher
        if is_outage(exc):
            raise
        log.exception("a schedule cannot be heeded", schedule_id=str(schedule_id))
        return 0


def _alone(runtime: Runtime, schedule_id: UUID, now: datetime) -> int:
    """One schedule in a transaction of its own, so that it stands in nobody's way."""
    with unit(runtime) as work:
        query = select(Schedule).where(Schedule.id == schedule_id, Schedule.next_fire_at <= now)
        schedule = work.session.scalar(query.with_for_update(skip_locked=True))
        return _fire(runtime, work, schedule, now) if schedule else 0


def _fire(runtime: Runtime, work: Unit, schedule: Schedule, now: datetime) -> int:
    planned = schedule.next_fire_at
    if planned is None:
        return 0
    if now - planned <= timedelta(seconds=MISFIRE_AFTER_S):
        schedule.next_fire_at = schedule.timing.after(planned)
        return _heed(runtime, work, schedule, ScheduleFire(fire_at=planned))
    latest, missed = schedule.timing.latest(planned, now)
    schedule.next_fire_at = schedule.timing.after(latest)
    fire = ScheduleFire(fire_at=latest, missed=missed)
    is_late = now - latest > timedelta(seconds=MISFIRE_AFTER_S)
    if is_late and schedule.misfire == Misfire.SKIP:
        fire.outcome = FireOutcome.MISSED
        return _keep(work.session, schedule, fire)
    return _heed(runtime, work, schedule, fire)


def _heed(runtime: Runtime, work: Unit, schedule: Schedule, fire: ScheduleFire) -> int:
    """Submit its job, unless the job before it forbids it now."""
    fire.outcome = FireOutcome.SUBMITTED
    if schedule.overlap == Overlap.QUEUE:
        waiting_max = runtime.settings.schedule_waiting_max
        fire.outcome = _in_turn(work.session, schedule, waiting_max)
    elif schedule.overlap == Overlap.SKIP and _is_busy(work.session, schedule.id):
        fire.outcome = FireOutcome.SKIPPED
    kept = _keep(work.session, schedule, fire)
    if kept and fire.outcome == FireOutcome.SUBMITTED:
        _try(runtime, work, schedule, _stored(work.session, schedule, fire))
    return kept


def _release(runtime: Runtime, schedule_id: UUID) -> int:
    """Submit the job of the longest waiting time, where the job before it has ended."""
    with unit(runtime) as work:
        query = select(Schedule).where(Schedule.id == schedule_id, Schedule.paused_at.is_(None))
        schedule = work.session.scalar(query.with_for_update(skip_locked=True))
        if schedule is None or _is_busy(work.session, schedule_id):
            return 0
        waiting = select(ScheduleFire).where(
            ScheduleFire.schedule_id == schedule_id, ScheduleFire.outcome == FireOutcome.WAITING
        )
        fire = work.session.scalar(waiting.order_by(ScheduleFire.fire_at).limit(1))
        if fire is None:
            return 0
        _try(runtime, work, schedule, fire)
    return 1


def _try(runtime: Runtime, work: Unit, schedule: Schedule, fire: ScheduleFire) -> None:
    """Submit, or write down why not: a job that is refused must not stop the schedule."""
    wakeups, changed = list(work.wakeups), set(work.changed)
    fire.outcome = FireOutcome.SUBMITTED
    try:
        with work.session.begin_nested():
            fire.job_id = _submit(runtime, work, schedule)
    except StellwerkError as exc:
        reason = exc.message
    except Exception as exc:
        if is_outage(exc) or is_contended(exc):
            raise
        log.exception("a scheduled job could not be submitted", schedule_id=str(schedule.id))
        reason = f"{type(exc).__name__} while it was submitted"
    else:
        return
    work.wakeups[:], work.changed = wakeups, changed
    fire.outcome, fire.job_id, fire.reason = FireOutcome.REFUSED, None, reason


def _submit(runtime: Runtime, work: Unit, schedule: Schedule) -> UUID:
    operation = runtime.registry.get(schedule.operation)
    _require(work.session, schedule.owner_id, operation.permission)
    payload = payloads.opened(runtime.vault, schedule.id, schedule.payload)
    submission = Submission(
        operation=schedule.operation,
        payload=payload,
        owner_id=schedule.owner_id,
        tags=(*schedule.tags, f"schedule:{schedule.id}"),
        queue=schedule.queue,
        callback_url=schedule.callback_url,
    )
    job = accept(runtime, work, submission, checked_payload(operation, payload))
    job.schedule_id = schedule.id
    work.session.flush()
    return job.id


def _require(session: Session, owner_id: int, permission: str) -> None:
    owner = session.get_one(User, owner_id)
    if not owner.is_active:
        raise NotPermitted("The owner's account is not active.")
    if permission not in permissions_of(Role(owner.role)):
        raise NotPermitted(f"The owner no longer has the permission {permission}.")


def _keep(session: Session, schedule: Schedule, fire: ScheduleFire) -> int:
    """Write the time down; 0 where it was heeded already."""
    values = {
        "schedule_id": schedule.id,
        "fire_at": fire.fire_at,
        "outcome": fire.outcome,
        "missed": fire.missed or 0,
    }
    added = insert(ScheduleFire).values(values).on_conflict_do_nothing()
    return len(session.execute(added.returning(ScheduleFire.fire_at)).all())


def _stored(session: Session, schedule: Schedule, fire: ScheduleFire) -> ScheduleFire:
    return session.get_one(ScheduleFire, (schedule.id, fire.fire_at))


def _in_turn(session: Session, schedule: Schedule, waiting_max: int) -> FireOutcome:
    """Whether a time of a queueing schedule is submitted now, or after those before it."""
    query = select(func.count()).where(
        ScheduleFire.schedule_id == schedule.id, ScheduleFire.outcome == FireOutcome.WAITING
    )
    waiting = session.scalar(query) or 0
    if waiting >= waiting_max:
        return FireOutcome.SKIPPED
    is_next = waiting == 0 and not _is_busy(session, schedule.id)
    return FireOutcome.SUBMITTED if is_next else FireOutcome.WAITING


def _is_busy(session: Session, schedule_id: UUID) -> bool:
    """Whether a job of the schedule is not finished."""
    return bool(session.scalar(_IS_BUSY, {"id": schedule_id}))
