"""What the studio holds of a person: channels and videos."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from stellwerk.db.personal import held, remove_batch
from stellwerk.studio.model import Channel, Video


def export(session: Session, user_id: int) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """Deleted ones too, as long as they are kept."""
    return {
        "channels": held(session, Channel, Channel.user_id == user_id),
        "videos": held(session, Video, Video.user_id == user_id),
    }


def erase(session: Session, user_id: int) -> Mapping[str, int]:
    """Remove a batch; channels once their videos are gone."""
    videos = remove_batch(session, Video, Video.user_id == user_id)
    channels = 0 if videos else remove_batch(session, Channel, Channel.user_id == user_id)
    return {"videos": videos, "channels": channels}
