"""Webhook endpoints, their secrets, and what was sent to them."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from stellwerk.db.base import Base, BigId, CreatedAt, Timestamp, Uuid


class EventType(StrEnum):
    """What a receiver is told of; PING only when somebody asks for it."""

    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    PING = "ping"


class DeliveryStatus(StrEnum):
    """How far a delivery is; its job knows more."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookEndpoint(Base):
    """A receiver of its owner's. Empty `event_types` or `operations` mean every one.

    `operations` holds names and patterns such as `videos.*`; `failing_since` is the first of the
    failed tries since the last successful one.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (Index("ix_webhook_endpoints_owner", "owner_id", text("id DESC")),)

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(String(200), server_default="")
    event_types: Mapped[list[str]] = mapped_column(ARRAY(String(40)), server_default="{}")
    operations: Mapped[list[str]] = mapped_column(ARRAY(String(80)), server_default="{}")
    is_active: Mapped[bool] = mapped_column(server_default="true")
    disabled_reason: Mapped[str | None] = mapped_column(String(200))
    failing_since: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt] = mapped_column(onupdate=func.now())


class WebhookSecret(Base):
    """A sealed secret: of an endpoint, or, without one, of its owner's callbacks.

    The present one has no `expires_at`; a replaced one signs along until its own has passed.
    """

    __tablename__ = "webhook_secrets"
    __table_args__ = (
        Index("ix_webhook_secrets_endpoint", "endpoint_id"),
        Index(
            "uq_webhook_secrets_endpoint",
            "endpoint_id",
            unique=True,
            postgresql_where=text("expires_at IS NULL"),
        ),
        Index("ix_webhook_secrets_owner", "owner_id"),
        Index(
            "uq_webhook_secrets_callbacks",
            "owner_id",
            unique=True,
            postgresql_where=text("endpoint_id IS NULL AND expires_at IS NULL"),
        ),
    )

    id: Mapped[BigId]
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    endpoint_id: Mapped[Uuid | None] = mapped_column(
        ForeignKey("webhook_endpoints.id", ondelete="CASCADE")
    )
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Timestamp | None]


class WebhookDelivery(Base):
    """One message to one receiver: an endpoint, or a job's own callback URL.

    `body` is sent as it stands here, however often; `job_id` is the job that delivers it,
    `about_job_id` the one it tells of.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
        CheckConstraint("(endpoint_id IS NULL) = (callback_url IS NOT NULL)", name="receiver"),
        Index("ix_webhook_deliveries_endpoint", "endpoint_id", text("id DESC")),
        Index("ix_webhook_deliveries_owner", "owner_id", text("id DESC")),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    endpoint_id: Mapped[Uuid | None] = mapped_column(
        ForeignKey("webhook_endpoints.id", ondelete="CASCADE")
    )
    callback_url: Mapped[str | None] = mapped_column(Text)
    event_type: Mapped[str] = mapped_column(String(40))
    about_job_id: Mapped[Uuid | None]
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(10), server_default="pending")
    job_id: Mapped[Uuid]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[Timestamp | None]

    @property
    def message_id(self) -> str:
        """The `webhook-id`: the same for every try and every redelivery."""
        return message_id(self.id)


class WebhookAttempt(Base):
    """One try of a delivery; nothing of the answer but its status is kept."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (Index("ix_webhook_attempts_delivery", "delivery_id", "id"),)

    id: Mapped[BigId]
    delivery_id: Mapped[Uuid] = mapped_column(
        ForeignKey("webhook_deliveries.id", ondelete="CASCADE")
    )
    at: Mapped[Timestamp] = mapped_column(server_default=func.clock_timestamp())
    status_code: Mapped[int | None]
    duration_ms: Mapped[int]
    error: Mapped[str | None] = mapped_column(String(300))


def message_id(delivery_id: UUID) -> str:
    """A delivery's id as receivers see it."""
    return f"msg_{delivery_id.hex}"
