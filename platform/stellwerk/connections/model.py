"""Connected accounts, what is under way to connect one, and what is still to be revoked."""

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from stellwerk.db.base import Base, CreatedAt, Timestamp, Uuid


class ConnectionStatus(StrEnum):
    """Whether a connection works."""

    ACTIVE = "active"
    NEEDS_RECONNECT = "needs_reconnect"


class OauthConnection(Base):
    """A user's account at a provider, or, with `channel_id`, one of that channel's own.

    `sealed` are both tokens as JSON, by the vault; none once the grant is over. `expires_at` is
    the access token's; None: the provider did not say. `generation` is raised when the account is
    connected anew. `renewal_began_at` stands while a renewal is under way: one left behind was cut
    short, and what the provider made of it is unknown.
    """

    __tablename__ = "oauth_connections"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'needs_reconnect')", name="status"),
        CheckConstraint("(status = 'active') = (sealed IS NOT NULL)", name="sealed"),
        Index("ix_oauth_connections_user", "user_id", text("id DESC")),
        Index(
            "uq_oauth_connections_user",
            "user_id",
            "provider",
            unique=True,
            postgresql_where=text("channel_id IS NULL"),
        ),
        Index(
            "uq_oauth_connections_channel",
            "channel_id",
            "provider",
            unique=True,
            postgresql_where=text("channel_id IS NOT NULL"),
        ),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(String(20))
    channel_id: Mapped[int | None] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    account_id: Mapped[str] = mapped_column(String(255))
    account_email: Mapped[str | None] = mapped_column(String(254))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    status: Mapped[str] = mapped_column(String(20), server_default="active")
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    generation: Mapped[int] = mapped_column(server_default="1")
    expires_at: Mapped[Timestamp | None]
    renewal_began_at: Mapped[Timestamp | None]
    connected_at: Mapped[CreatedAt]
    last_refreshed_at: Mapped[Timestamp | None]


class OauthIdentity(Base):
    """The user whom an outside account signs in; `issuer` says at which server it is.

    `made_account`: the user came that way, and may have no other.
    """

    __tablename__ = "oauth_identities"
    __table_args__ = (
        Index("uq_oauth_identities_subject", "provider", "issuer", "subject", unique=True),
        Index("ix_oauth_identities_user", "user_id"),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(String(20))
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    made_account: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[CreatedAt]


class OauthState(Base):
    """A request for authorization that waits for its one answer.

    What the browser shows is kept as SHA-256 only: `state_hash`, `nonce_hash` (its cookie) and
    `ticket_hash` (of a start page, until that was opened). `sealed` is PKCE's verifier.
    `password_mark`: of the password that the user had; with another one no answer counts.
    """

    __tablename__ = "oauth_states"
    __table_args__ = (
        Index("uq_oauth_states_state", "state_hash", unique=True),
        Index("uq_oauth_states_ticket", "ticket_hash", unique=True),
        Index("ix_oauth_states_user", "user_id"),
        Index("ix_oauth_states_expires", "expires_at"),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(String(20))
    channel_id: Mapped[int | None] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    state_hash: Mapped[str] = mapped_column(String(64))
    nonce_hash: Mapped[str] = mapped_column(String(64))
    ticket_hash: Mapped[str | None] = mapped_column(String(64))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    password_mark: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    return_url: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[Timestamp]


class OauthRevocation(Base):
    """Tokens of a connection that is gone, kept until the provider was told, or gave no answer."""

    __tablename__ = "oauth_revocations"
    __table_args__ = (Index("ix_oauth_revocations_user", "user_id"),)

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(String(20))
    account_id: Mapped[str] = mapped_column(String(255))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]
