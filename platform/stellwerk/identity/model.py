"""People, their sessions and their API keys."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from stellwerk.db.base import Base, CreatedAt, Money, Timestamp, Uuid


class User(Base):
    """An account. Limits left empty follow the tier's settings; see allowances.py.

    The e-mail address is kept as typed and unique without regard to case.
    """

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('user', 'operator', 'admin')", name="role"),
        CheckConstraint("subscription_tier IN ('free', 'pro', 'enterprise')", name="tier"),
        Index("uq_users_email", text("lower(email)"), unique=True),
        Index("uq_users_username", text("lower(username)"), unique=True),
        Index("ix_users_updated", "updated_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    username: Mapped[str] = mapped_column(String(64))
    full_name: Mapped[str] = mapped_column(String(200), server_default="")
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(10), server_default="user")
    is_active: Mapped[bool] = mapped_column(server_default="true")
    email_verified_at: Mapped[Timestamp | None]
    subscription_tier: Mapped[str] = mapped_column(String(10), server_default="free")
    channels_limit: Mapped[int | None]
    daily_video_limit: Mapped[int | None]
    monthly_budget: Mapped[Money | None]
    is_beta_user: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt] = mapped_column(onupdate=func.now())
    last_signed_in_at: Mapped[Timestamp | None]


class UserSession(Base):
    """A signed-in session: an access token is good only while its session stands here.

    `expires_at` is when its present refresh token ends; each renewal moves it on.
    """

    __tablename__ = "user_sessions"
    __table_args__ = (
        CheckConstraint("audience IN ('api', 'telephony')", name="audience"),
        Index("ix_user_sessions_user", "user_id"),
        Index("ix_user_sessions_ended", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    audience: Mapped[str] = mapped_column(String(10), server_default="api")
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Timestamp]
    ended_at: Mapped[Timestamp | None]


class RefreshToken(Base):
    """One renewal of a session: only its SHA-256 is kept (it is random).

    Those of a session are its family: one is unspent, and a spent one that comes back tells that
    two have it.
    """

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("ix_refresh_tokens_session", "session_id"),)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[Uuid] = mapped_column(ForeignKey("user_sessions.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Timestamp]
    spent_at: Mapped[Timestamp | None]


class StoredSigningKey(Base):
    """A key of access tokens after that of the settings; the newest signs. Sealed by the vault."""

    __tablename__ = "signing_keys"

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    kid: Mapped[str] = mapped_column(String(16), unique=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]


class MailedLink(Base):
    """A link that proves, once, who reads the mails of an address; only its hash is kept."""

    __tablename__ = "mailed_links"
    __table_args__ = (
        CheckConstraint(
            "purpose IN ('verify_email', 'reset_password', 'confirm_request')", name="purpose"
        ),
        Index("ix_mailed_links_user", "user_id"),
    )

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(20))
    email: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Timestamp]


class ApiKey(Base):
    """A key for programs: only its SHA-256 is kept (it is random), its prefix stays visible.

    `scopes` holds operation names or patterns (`videos.*`), `read` and `write`; empty: everything
    its owner may do. A key that was replaced works until it expires.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        Index("ix_api_keys_user", "user_id"),
        Index("ix_api_keys_revoked", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
        Index(
            "ix_api_keys_replaced", "replaced_at", postgresql_where=text("replaced_at IS NOT NULL")
        ),
        Index(
            "uq_api_keys_name",
            "user_id",
            "name",
            unique=True,
            postgresql_where=text("revoked_at IS NULL AND replaced_at IS NULL"),
        ),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(16))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(80)), server_default="{}")
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Timestamp | None]
    last_used_at: Mapped[Timestamp | None]
    last_used_from: Mapped[str | None] = mapped_column(String(45))  # an address
    replaced_at: Mapped[Timestamp | None]
    replaced_by: Mapped[Uuid | None]
    revoked_at: Mapped[Timestamp | None]
