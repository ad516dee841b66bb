"""Calls, what happened in each, and the switches and carriers that carry them.

Numbers are encrypted by Postgres and found again by their keyed hashes; nothing else here tells
who called whom.
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from stellwerk.calls.states import CallState
from stellwerk.db.base import Base, BigId, CreatedAt, Timestamp, Uuid
from stellwerk.db.encrypted import Encrypted

HASH = 64  # hexadecimal digits of vault.lookups(number)[0]

_STATES = ", ".join(f"'{state}'" for state in CallState)


class Call(Base):
    """A call from its request to its end; its id is the switch's name of its channel too.

    The number that is called may be gone: erasure leaves the row to the statistics, with no user.
    Of a call under way it takes the user at once, and the numbers when the call has ended.
    """

    __tablename__ = "calls"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        Index("ix_calls_user", "user_id", text("id DESC")),
        Index("ix_calls_day", "user_id", "created_at"),
        Index(
            "ix_calls_open",
            "user_id",
            postgresql_where=text("state IN ('queued', 'dialing', 'ringing', 'answered')"),
        ),
        Index("ix_calls_to", "user_id", "to_hash", text("id DESC")),
        Index("ix_calls_asked", "provider", "asked_at", postgresql_where=text("state = 'queued'")),
        Index(
            "ix_calls_under_way",
            "provider",
            "id",
            postgresql_where=text("state IN ('dialing', 'ringing', 'answered')"),
        ),
        Index(
            "ix_calls_left_up",
            "provider",
            "hangup_asked_at",
            postgresql_where=text("hangup_asked_at IS NOT NULL AND hangup_sent_at IS NULL"),
        ),
        Index("ix_calls_ended", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
        Index(
            "ix_calls_named",
            "ended_at",
            postgresql_where=text("to_number IS NOT NULL OR provider_ref IS NOT NULL"),
        ),
        Index(
            "ix_calls_erased",
            "ended_at",
            postgresql_where=text(
                "user_id IS NULL AND (to_number IS NOT NULL OR provider_ref IS NOT NULL)"
            ),
        ),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    job_id: Mapped[Uuid | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="SET NULL"), unique=True
    )  # the history outlives its jobs
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    provider: Mapped[str] = mapped_column(String(20))
    provider_ref: Mapped[str | None] = mapped_column(String(200))
    to_number: Mapped[str | None] = mapped_column(Encrypted)
    to_hash: Mapped[str | None] = mapped_column(String(HASH))
    first_number: Mapped[str | None] = mapped_column(Encrypted)  # rung before `to`: click to call
    first_hash: Mapped[str | None] = mapped_column(String(HASH))
    has_first: Mapped[bool] = mapped_column(server_default="false")  # also when it is forgotten
    caller_id: Mapped[str | None] = mapped_column(Encrypted)
    region: Mapped[str | None] = mapped_column(String(3))  # of `to`: ISO 3166, or 001
    price_prefix: Mapped[str] = mapped_column(String(16), server_default="")
    price_eur: Mapped[Decimal] = mapped_column(Numeric(14, 6), server_default="0")  # a minute
    first_price_eur: Mapped[Decimal] = mapped_column(Numeric(14, 6), server_default="0")
    ring_timeout_s: Mapped[int]
    max_duration_s: Mapped[int]
    is_recorded: Mapped[bool] = mapped_column(server_default="false")
    is_simulated: Mapped[bool] = mapped_column(server_default="false")  # its trunk calls nobody
    state: Mapped[str] = mapped_column(String(10), server_default="queued")
    is_uncertain: Mapped[bool] = mapped_column(server_default="false")  # nobody knows what became
    cause: Mapped[str | None] = mapped_column(String(60))
    refusal: Mapped[str | None] = mapped_column(String(40))  # the code with which its job failed
    dials: Mapped[int] = mapped_column(
        server_default="0"
    )  # intents; one that was not dialled is repeated
    created_at: Mapped[CreatedAt]
    asked_at: Mapped[Timestamp | None]  # by the job: from then on it may be dialled
    dial_after: Mapped[Timestamp | None]
    intended_at: Mapped[Timestamp | None]  # stored before anything is sent
    taken_at: Mapped[Timestamp | None]  # the provider took the order
    bridge_intended_at: Mapped[Timestamp | None]  # to dial `to`, where that is an order of its own
    ringing_at: Mapped[Timestamp | None]
    answered_at: Mapped[Timestamp | None]
    ended_at: Mapped[Timestamp | None]
    seen_at: Mapped[Timestamp | None]  # it last was under way, by an event or the trunk's word
    hangup_asked_at: Mapped[Timestamp | None]
    hangup_sent_at: Mapped[Timestamp | None]
    duration_s: Mapped[int | None]  # from answer to end
    billable_s: Mapped[int | None]
    cost_eur: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))


class CallEvent(Base):
    """The timeline of a call. `key` is the provider's: the same event is stored once."""

    __tablename__ = "call_events"
    __table_args__ = (Index("uq_call_events_key", "call_id", "key", unique=True),)

    id: Mapped[BigId]
    call_id: Mapped[Uuid] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(100))
    leg: Mapped[str] = mapped_column(String(5))
    kind: Mapped[str] = mapped_column(String(20))
    cause: Mapped[str | None] = mapped_column(String(60))
    billable_s: Mapped[int | None]
    at: Mapped[Timestamp]


class CallTrunk(Base):
    """A switch or carrier: which process speaks to it, how it is, and whether it is spared.

    `fence` rises with every holder; only its holder dials. The breaker's state is one of closed,
    open (until `retry_at`) and half_open.
    """

    __tablename__ = "call_trunks"
    __table_args__ = (
        CheckConstraint("breaker IN ('closed', 'open', 'half_open')", name="breaker"),
    )

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    holder: Mapped[str | None] = mapped_column(String(200))
    fence: Mapped[int] = mapped_column(server_default="0")
    held_until: Mapped[Timestamp | None]
    is_simulated: Mapped[bool] = mapped_column(server_default="false")
    is_connected: Mapped[bool] = mapped_column(server_default="false")
    gateways: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")  # name: usable
    message: Mapped[str] = mapped_column(Text, server_default="")
    checked_at: Mapped[Timestamp | None]
    breaker: Mapped[str] = mapped_column(String(10), server_default="closed")
    failures: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")  # their times
    opened_at: Mapped[Timestamp | None]
    retry_at: Mapped[Timestamp | None]
