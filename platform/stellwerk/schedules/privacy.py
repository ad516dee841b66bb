"""What schedules hold of a person."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from stellwerk.db.engine import vault_of
from stellwerk.db.personal import held, remove_batch
from stellwerk.schedules.model import Schedule, ScheduleFire
from stellwerk.schedules.payloads import opened


def export(session: Session, user_id: int) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """Schedules, and the times at which they were due."""
    own = select(Schedule.id).where(Schedule.owner_id == user_id)
    vault = vault_of(session)
    mine = held(session, Schedule, Schedule.owner_id == user_id)
    return {
        "schedules": (row | {"payload": opened(vault, row["id"], row["payload"])} for row in mine),
        "times": held(session, ScheduleFire, ScheduleFire.schedule_id.in_(own)),
    }


def erase(session: Session, user_id: int) -> Mapping[str, int]:
    """Remove a batch; schedules once their times are gone."""
    own = select(Schedule.id).where(Schedule.owner_id == user_id)
    times = remove_batch(session, ScheduleFire, ScheduleFire.schedule_id.in_(own))
    schedules = 0 if times else remove_batch(session, Schedule, Schedule.owner_id == user_id)
    return {"times": times, "schedules": schedules}
