"""Schedules, and a row for each time that one was due."""

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from stellwerk.db.base import Base, CreatedAt, Json, Timestamp, Uuid
from stellwerk.schedules.timing import Timing


class Overlap(StrEnum):
    """What is done when a schedule is due while its last job is not finished."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"


class Misfire(StrEnum):
    """What is done about times that passed while no dispatcher ran."""

    SKIP = "skip"
    RUN_ONCE = "run_once"


class FireOutcome(StrEnum):
    """What came of a time at which a schedule was due."""

    SUBMITTED = "submitted"
    WAITING = "waiting"  # for the end of the job before it
    SKIPPED = "skipped"  # the job before it was not finished
    MISSED = "missed"  # no dispatcher ran
    REFUSED = "refused"  # the job was not accepted; `reason` says why


_OUTCOMES = ", ".join(f"'{outcome}'" for outcome in FireOutcome)


class Schedule(Base):
    """What to submit, and when: either `cron` with `time_zone`, or `interval_s`.

    `next_fire_at` is null for a schedule that is paused.
    """

    __tablename__ = "schedules"
    __table_args__ = (
        CheckConstraint("(cron IS NULL) <> (interval_s IS NULL)", name="timing"),
        CheckConstraint("overlap IN ('skip', 'queue', 'allow')", name="overlap"),
        CheckConstraint("misfire IN ('skip', 'run_once')", name="misfire"),
        Index("ix_schedules_owner", "owner_id", text("id DESC")),
        Index(
            "ix_schedules_due", "next_fire_at", postgresql_where=text("next_fire_at IS NOT NULL")
        ),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(120))
    operation: Mapped[str] = mapped_column(String(80))
    payload: Mapped[Json]
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(64)), server_default="{}")
    queue: Mapped[str | None] = mapped_column(String(40))  # None: the operation's
    callback_url: Mapped[str | None] = mapped_column(Text)  # of each of its jobs
    cron: Mapped[str | None] = mapped_column(String(100))
    time_zone: Mapped[str] = mapped_column(String(64), server_default="UTC")
    interval_s: Mapped[int | None]
    starts_at: Mapped[Timestamp]
    overlap: Mapped[str] = mapped_column(String(8))
    misfire: Mapped[str] = mapped_column(String(8))
    paused_at: Mapped[Timestamp | None]
    next_fire_at: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    @property
    def timing(self) -> Timing:
        """When it is due."""
        return Timing(self.starts_at, self.cron, self.time_zone, self.interval_s)


class ScheduleFire(Base):
    """One time at which a schedule was due. Its key lets each time happen once.

    `missed` counts the times before it that passed while no dispatcher ran, up to
    `timing.COUNTED_MISSES`.
    """

    __tablename__ = "schedule_fires"
    __table_args__ = (
        CheckConstraint(f"outcome IN ({_OUTCOMES})", name="outcome"),
        Index("ix_schedule_fires_job", "job_id", postgresql_where=text("job_id IS NOT NULL")),
        Index(
            "ix_schedule_fires_waiting",
            "schedule_id",
            "fire_at",
            postgresql_where=text("outcome = 'waiting'"),
        ),
        Index("ix_schedule_fires_created", "created_at"),
    )

    schedule_id: Mapped[Uuid] = mapped_column(
        ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True
    )
    fire_at: Mapped[Timestamp] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(String(10))
    job_id: Mapped[Uuid | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    missed: Mapped[int] = mapped_column(server_default="0")
    by_hand: Mapped[bool] = mapped_column(server_default="false")
    reason: Mapped[str] = mapped_column(Text, server_default="")
    created_at: Mapped[CreatedAt]
