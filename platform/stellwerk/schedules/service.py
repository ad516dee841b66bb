"""The rules of schedules: what is one, when it is due next, who may have how many."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stellwerk.clock import new_id
from stellwerk.db.engine import vault_of
from stellwerk.errors import ErrorCode, FieldError, InvalidInput, NotPermitted
from stellwerk.identity.model import User
from stellwerk.jobs.operation import Operation, Payload, Registry
from stellwerk.jobs.submission import checked_payload, chosen_queue
from stellwerk.schedules import payloads
from stellwerk.schedules.model import Misfire, Overlap, Schedule

DEFAULTS: dict[str, Any] = {
    "payload": {},
    "tags": [],
    "time_zone": "UTC",
    "overlap": Overlap.SKIP,
    "misfire": Misfire.SKIP,
}


def create(
    session: Session, registry: Registry, owner_id: int, fields: dict[str, Any], *, limit: int
) -> Schedule:
    """A new schedule, running; raises NotPermitted (SCHEDULE_LIMIT_REACHED), InvalidInput."""
    _refuse_too_many(session, owner_id, limit)
    now = _now(session)
    schedule = Schedule(id=new_id(), owner_id=owner_id, **{**DEFAULTS, "starts_at": now, **fields})
    _check(session, schedule, registry)
    _plan(schedule, now)
    session.add(schedule)
    return schedule


def change(
    session: Session, registry: Registry, schedule: Schedule, fields: dict[str, Any]
) -> None:
    """Set what its owner sends; where it gets `cron`, its interval is dropped, and vice versa."""
    for one, other in (("cron", "interval_s"), ("interval_s", "cron")):
        if fields.get(one) is not None:
            fields.setdefault(other, None)
    for name, value in fields.items():
        setattr(schedule, name, value)
    _check(session, schedule, registry)
    schedule.updated_at = _now(session)
    if schedule.paused_at is None and fields.keys() & {
        "cron",
        "interval_s",
        "time_zone",
        "starts_at",
    }:
        _plan(schedule, _now(session))


def pause(session: Session, schedule: Schedule) -> None:
    """It is not due any more, until it is resumed."""
    schedule.paused_at = schedule.paused_at or _now(session)
    schedule.next_fire_at = None


def resume(session: Session, schedule: Schedule) -> None:
    """It is due again, from now on: what passed meanwhile was not missed."""
    if schedule.paused_at is not None:
        schedule.paused_at = None
        _plan(schedule, _now(session))


def _check(session: Session, schedule: Schedule, registry: Registry) -> None:
    if (schedule.cron is None) == (schedule.interval_s is None):
        reason = "Either `cron` or `interval_s`, and not both."
        raise InvalidInput("The schedule is not valid.", errors=[FieldError("cron", reason)])
    operation = registry.get(schedule.operation)
    chosen_queue(operation, schedule.queue)
    vault = vault_of(session)
    sent = payloads.opened(vault, schedule.id, schedule.payload)
    try:
        checked = checked_payload(operation, sent)
    except InvalidInput as exc:
        errors = [FieldError(f"payload.{one.field}".rstrip("."), one.reason) for one in exc.errors]
        raise InvalidInput(exc.message, code=exc.code, errors=errors) from exc
    _refuse_secrets(operation, checked)
    schedule.payload = payloads.kept(vault, operation, schedule.id, checked)


def _refuse_secrets(operation: Operation, payload: Payload) -> None:
    """A schedule shows its owner all of its payload."""
    held = [name for name in operation.secrets if payload.get(name)]
    if held:
        reason = "A schedule keeps no secrets."
        errors = [FieldError(f"payload.{name}", reason) for name in held]
        raise InvalidInput(reason, errors=errors)


def _plan(schedule: Schedule, now: datetime) -> None:
    schedule.next_fire_at = schedule.timing.after(now)


def _refuse_too_many(session: Session, owner_id: int, limit: int) -> None:
    session.get_one(User, owner_id, with_for_update={"key_share": True})
    held = session.scalar(select(func.count()).where(Schedule.owner_id == owner_id)) or 0
    if held >= limit:
        raise NotPermitted(
            f"You have {held} schedules, which is the limit. Delete one first.",
            code=ErrorCode.SCHEDULE_LIMIT_REACHED,
            details={"schedules_limit": limit},
        )


def _now(session: Session) -> datetime:
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now
