"""What the configuration holds of a person: which of its changes were theirs."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from stellwerk.configuration.model import ConfigurationChange
from stellwerk.db.personal import count, held


def export(session: Session, user_id: int) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """The changes they made."""
    own = ConfigurationChange.changed_by == user_id
    return {"changes": held(session, ConfigurationChange, own)}


def erase(session: Session, user_id: int) -> Mapping[str, int]:
    """Changes stay in force and in the history, and name nobody any more."""
    own = ConfigurationChange.changed_by == user_id
    anonymous = update(ConfigurationChange).where(own).values(changed_by=None)
    return {"authorship": count(session.execute(anonymous))}
