"""Reads of channels and videos, each with its cost, and always of one owner."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from stellwerk.errors import NotFound
from stellwerk.jobs.model import Job
from stellwerk.jobs.remains import JobCost
from stellwerk.studio.model import Channel, Video
from stellwerk.studio.states import VideoStatus


@dataclass(frozen=True, slots=True)
class VideoFilter:
    """What a list of videos is narrowed to; `after_id` ended the page before."""

    channel_id: int | None = None
    status: VideoStatus | None = None
    text: str | None = None
    after_id: int | None = None
    limit: int = 50


def channels(
    session: Session, user_id: int, *, after: int | None, limit: int
) -> list[dict[str, Any]]:
    """The owner's channels, newest first."""
    query = _channels(user_id).order_by(Channel.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Channel.id < after)
    return [_channel(row) for row in session.execute(query)]


def channel(session: Session, user_id: int, channel_id: int) -> dict[str, Any]:
    """One of the owner's channels; raises NotFound."""
    row = session.execute(_channels(user_id).where(Channel.id == channel_id)).one_or_none()
    if row is None:
        raise NotFound(f"You have no channel {channel_id}.")
    return _channel(row)


def own_channel(session: Session, user_id: int, channel_id: int) -> Channel:
    """The row of one of the owner's channels; raises NotFound."""
    found = session.scalar(
        select(Channel).where(
            Channel.id == channel_id, Channel.user_id == user_id, Channel.deleted_at.is_(None)
        )
    )
    if found is None:
        raise NotFound(f"You have no channel {channel_id}.")
    return found


def videos(session: Session, user_id: int, wanted: VideoFilter) -> list[dict[str, Any]]:
    """The owner's videos, newest first."""
    query = _videos(user_id).order_by(Video.id.desc()).limit(wanted.limit)
    for condition in _conditions(wanted):
        query = query.where(condition)
    return [_video(row) for row in session.execute(query)]


def video(session: Session, user_id: int, video_id: int) -> dict[str, Any]:
    """One of the owner's videos; raises NotFound."""
    row = session.execute(_videos(user_id).where(Video.id == video_id)).one_or_none()
    if row is None:
        raise NotFound(f"You have no video {video_id}.")
    return _video(row)


def own_video(session: Session, user_id: int, video_id: int) -> Video:
    """The row of one of the owner's videos; raises NotFound."""
    found = session.scalar(
        select(Video).where(
            Video.id == video_id, Video.user_id == user_id, Video.deleted_at.is_(None)
        )
    )
    if found is None:
        raise NotFound(f"You have no video {video_id}.")
    return found


def video_of_job(session: Session, job_id: UUID) -> Video:
    """The video that a job generates."""
    return session.scalars(select(Video).where(Video.job_id == job_id)).one()


def videos_today(session: Session, user_id: int) -> int:
    """How many videos the user asked for since midnight UTC, deleted ones included."""
    today = func.date_trunc("day", func.timezone("UTC", func.now()))
    query = select(func.count()).where(
        Video.user_id == user_id, func.timezone("UTC", Video.created_at) >= today
    )
    return session.scalar(query) or 0


def channels_held(session: Session, user_id: int) -> int:
    """How many channels the user has."""
    held = select(func.count()).where(Channel.user_id == user_id, Channel.deleted_at.is_(None))
    return session.scalar(held) or 0


def reserved_cost(session: Session, job_id: UUID) -> float:
    """EUR set aside for a job that is not finished."""
    return _money(session.get_one(Job, job_id).reserved_cost)


_VIDEO_COST = (
    select(func.coalesce(func.sum(JobCost.amount), 0))
    .where(JobCost.job_id == Video.job_id)
    .scalar_subquery()
)
_CHANNEL_COST = (
    select(func.coalesce(func.sum(JobCost.amount), 0))
    .join(Video, Video.job_id == JobCost.job_id)
    .where(Video.channel_id == Channel.id)
    .correlate(Channel)
    .scalar_subquery()
)
_CHANNEL_VIDEOS = (
    select(func.count())
    .select_from(Video)
    .where(Video.channel_id == Channel.id, Video.deleted_at.is_(None))
    .correlate(Channel)
    .scalar_subquery()
)


def _channels(user_id: int) -> Select[Channel, int, Decimal]:
    return select(Channel, _CHANNEL_VIDEOS, _CHANNEL_COST).where(
        Channel.user_id == user_id, Channel.deleted_at.is_(None)
    )


def _videos(user_id: int) -> Select[Video, Decimal]:
    return select(Video, _VIDEO_COST).where(Video.user_id == user_id, Video.deleted_at.is_(None))


def _conditions(wanted: VideoFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.channel_id is not None:
        conditions.append(Video.channel_id == wanted.channel_id)
    if wanted.status is not None:
        conditions.append(Video.status == wanted.status)
    if wanted.text:
        text = wanted.text
        conditions.append(
            Video.title.icontains(text, autoescape=True)
            | Video.topic.icontains(text, autoescape=True)
        )
    if wanted.after_id is not None:
        conditions.append(Video.id < wanted.after_id)
    return conditions


def _channel(row: Any) -> dict[str, Any]:
    found, total_videos, total_cost = row
    return _columns(found) | {"total_videos": total_videos, "total_cost": _money(total_cost)}


def _video(row: Any) -> dict[str, Any]:
    found, total_cost = row
    return _columns(found) | {
        "total_cost": _money(total_cost),
        "status": VideoStatus(found.status),
        "status_url": f"/api/v1/jobs/{found.job_id}",
        "artifacts_url": f"/api/v1/jobs/{found.job_id}/artifacts",
    }


def _columns(row: Channel | Video) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def _money(amount: Decimal) -> float:
    return round(float(amount), 6)
