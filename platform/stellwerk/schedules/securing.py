"""What a new password ends of schedules."""

from sqlalchemy import select

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record
from stellwerk.jobs.runtime import Runtime, Unit
from stellwerk.schedules.model import Schedule
from stellwerk.schedules.service import pause


def secure_schedules(runtime: Runtime, work: Unit, user_id: int, *, is_takeover: bool) -> None:
    """In a takeover none goes on, or tells anybody, until its owner wants it to."""
    del runtime
    if not is_takeover:
        return
    held = select(Schedule).where(Schedule.owner_id == user_id).order_by(Schedule.id)
    for schedule in work.session.scalars(held.with_for_update()).all():
        pause(work.session, schedule)
        schedule.callback_url = None
        target, action = f"schedule:{schedule.id}", Action.SCHEDULE_PAUSED
        record(work.session, action=action, actor=user_id, subject_user_id=user_id, target=target)
