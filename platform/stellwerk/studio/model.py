"""Channels and videos. What they cost is the sum of their jobs' cost lines, never kept apart."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from stellwerk.db.base import Base, CreatedAt, Timestamp, Uuid


class Channel(Base):
    """Where a creator's videos belong; `publish_schedule` is `{cron, timezone}`."""

    __tablename__ = "channels"
    __table_args__ = (Index("ix_channels_user", "user_id", text("id DESC")),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(100))
    youtube_channel_id: Mapped[str | None] = mapped_column(String(64))
    niche: Mapped[str] = mapped_column(String(100), server_default="")
    description: Mapped[str] = mapped_column(Text, server_default="")
    is_active: Mapped[bool] = mapped_column(server_default="true")
    auto_publish: Mapped[bool] = mapped_column(server_default="false")
    publish_schedule: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[Timestamp | None]


class Video(Base):
    """A video from its request to its publication; `job_id` is the job that generates it."""

    __tablename__ = "videos"
    __table_args__ = (
        CheckConstraint(
            "status IN ('queued', 'processing', 'ready', 'published', 'failed')", name="status"
        ),
        Index("ix_videos_user", "user_id", text("id DESC")),
        Index("ix_videos_channel", "channel_id", text("id DESC")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id"))
    job_id: Mapped[Uuid] = mapped_column(ForeignKey("jobs.id"), unique=True)
    topic: Mapped[str] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, server_default="")
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(64)), server_default="{}")
    language: Mapped[str] = mapped_column(String(35))
    status: Mapped[str] = mapped_column(String(10), server_default="queued")
    youtube_video_id: Mapped[str | None] = mapped_column(String(32))
    duration_s: Mapped[float | None]
    quality_score: Mapped[float | None]
    quality_parts: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    auto_publish: Mapped[bool] = mapped_column(server_default="false")
    publish_at: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]
    published_at: Mapped[Timestamp | None]
    deleted_at: Mapped[Timestamp | None]
