"""What somebody asked for about themselves, and what came of it."""

from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from stellwerk.db.base import Base, CreatedAt, Json, Timestamp, Uuid


class RequestKind(StrEnum):
    """What was asked for."""

    EXPORT = "export"
    ERASE = "erase"


class RequestStatus(StrEnum):
    """How far it is; its job knows more."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PrivacyRequest(Base):
    """A request of a user; after an erasure it is nobody's, and its receipt is what is left.

    `counts` are what was erased or kept so far: domain, kind, number. `receipt_hash` is the
    SHA-256 of the token by which whoever had the account finds the receipt. `address`, sealed for
    the request, is kept from the beginning of an erasure until its end was told there.
    """

    __tablename__ = "privacy_requests"
    __table_args__ = (
        CheckConstraint("kind IN ('export', 'erase')", name="kind"),
        CheckConstraint(
            "status IN ('pending', 'running', 'completed', 'failed', 'cancelled')", name="status"
        ),
        Index("ix_privacy_requests_user", "user_id", text("id DESC")),
        Index(
            "uq_privacy_requests_open",
            "user_id",
            "kind",
            unique=True,
            postgresql_where=text("finished_at IS NULL"),
        ),
        Index(
            "ix_privacy_requests_exports",
            "finished_at",
            postgresql_where=text("kind = 'export' AND is_available"),
        ),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    status: Mapped[str] = mapped_column(String(10), server_default="pending")
    job_id: Mapped[Uuid | None]  # it may be removed before this
    is_available: Mapped[bool] = mapped_column(server_default="false")  # the export's file
    receipt_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    counts: Mapped[Json] = mapped_column(server_default="{}")
    language: Mapped[str] = mapped_column(String(2), server_default="en")  # of mails about it
    address: Mapped[bytes | None] = mapped_column(LargeBinary)
    receipt: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[CreatedAt]
    due_at: Mapped[Timestamp]
    finished_at: Mapped[Timestamp | None]
