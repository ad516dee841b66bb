"""What outlives a job: its cost lines and, when it was purged, a tombstone."""

from decimal import Decimal

from sqlalchemy import ForeignKey, Index, Numeric, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from stellwerk.db.base import Base, BigId, CreatedAt, Money, Uuid


class JobCost(Base):
    """One paid call: EUR, exact. Totals are always sums of these lines.

    `sequence` counts within an attempt, so that a line is kept once, however often it is sent.
    A line outlives its job: `job_id` is no foreign key.
    """

    __tablename__ = "job_costs"
    __table_args__ = (
        UniqueConstraint("job_id", "attempt", "sequence"),
        Index("ix_job_costs_owner", "owner_id", "created_at"),
    )

    id: Mapped[BigId]
    job_id: Mapped[Uuid]
    attempt: Mapped[int]
    sequence: Mapped[int]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    step: Mapped[str] = mapped_column(String(80))
    provider: Mapped[str] = mapped_column(String(40))
    unit: Mapped[str] = mapped_column(String(40))
    quantity: Mapped[Decimal] = mapped_column(Numeric(18, 6))
    unit_price: Mapped[Decimal] = mapped_column(Numeric(18, 12))
    amount: Mapped[Money]
    created_at: Mapped[CreatedAt]


class JobTombstone(Base):
    """What remains of a purged job, so that its id answers 410 and not 404.

    `storage_keys` are those of its files that the ledger knew of, where its folder in the artifact
    store has still to be removed; NULL where nothing is left of it.
    """

    __tablename__ = "job_tombstones"
    __table_args__ = (
        Index("ix_job_tombstones_purged", "purged_at"),
        Index(
            "ix_job_tombstones_files",
            "job_id",
            postgresql_where=text("storage_keys IS NOT NULL"),
        ),
    )

    job_id: Mapped[Uuid] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None]
    storage_keys: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    purged_at: Mapped[CreatedAt]
