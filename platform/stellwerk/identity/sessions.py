"""Sessions and API keys in the ledger: the truth about who is signed in."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, text, union_all, update
from sqlalchemy.orm import Session

from stellwerk.audit.origin import present
from stellwerk.clock import new_id
from stellwerk.errors import NotAuthenticated
from stellwerk.identity.model import ApiKey, User, UserSession
from stellwerk.identity.permissions import Audience

FRESH = timedelta(minutes=10)  # so long a sign-in proves who somebody is, without a password
NOTED_EVERY = timedelta(minutes=1)  # how exact `last_used_at` is

_SIGNED_IN = text("UPDATE users SET last_signed_in_at = now() WHERE id = :id")  # no change of it
_ASYNC_COMMIT = text("SET LOCAL synchronous_commit = off")


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose live session it is; this is what Redis keeps a copy of."""

    user_id: int
    role: str
    tier: str


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """Whose live API key it is, and what it is for; Redis keeps a copy of this too."""

    user_id: int
    role: str
    tier: str
    key_id: str
    scopes: tuple[str, ...]
    expires_at: float | None  # seconds since 1970

    def is_over(self) -> bool:
        """Whether its time has run out."""
        return self.expires_at is not None and self.expires_at <= time.time()


def start(
    session: Session, user_id: int, expires_at: datetime, audience: Audience = Audience.API
) -> UUID:
    """Record a new session; returns its id."""
    started = UserSession(
        id=new_id(), user_id=user_id, expires_at=expires_at, audience=audience.value
    )
    session.add(started)
    session.flush()
    session.execute(_SIGNED_IN, {"id": user_id})
    return started.id


def standing(session: Session, session_id: UUID) -> Standing | None:
    """Whose session it is; None where it ended, expired, or its user is disabled."""
    query = (
        select(User.id, User.role, User.subscription_tier)
        .join(UserSession, UserSession.user_id == User.id)
        .where(
            UserSession.id == session_id,
            UserSession.ended_at.is_(None),
            UserSession.expires_at > func.now(),
            User.is_active,
        )
    )
    found = session.execute(query).one_or_none()
    return Standing(*found) if found else None


def require_standing(session: Session, session_id: UUID | None) -> None:
    """Raise NotAuthenticated where the session that asks has ended since it was looked up.

    For what outlasts it, and once its user's row is locked: a new password holds that row.
    """
    if session_id is None or standing(session, session_id) is None:
        raise NotAuthenticated("The session has ended. Sign in again.")


def prolong(session: Session, session_id: UUID, expires_at: datetime) -> bool:
    """Let a session that is used go on; False where it has ended."""
    query = update(UserSession).where(
        UserSession.id == session_id,
        UserSession.ended_at.is_(None),
        UserSession.expires_at > func.now(),
    )
    found = session.execute(query.values(expires_at=expires_at).returning(UserSession.id))
    return found.first() is not None


def is_fresh(session: Session, session_id: UUID | None) -> bool:
    """Whether somebody signed in by it a moment ago; renewals do not count."""
    began = UserSession.created_at > func.now() - FRESH
    query = select(UserSession.id).where(UserSession.id == session_id, began)
    return session.scalar(query) is not None


def end(session: Session, session_id: UUID) -> None:
    """End one session; ending it twice is no error."""
    query = update(UserSession).where(UserSession.id == session_id, UserSession.ended_at.is_(None))
    session.execute(query.values(ended_at=func.now()))


def end_all_of(session: Session, user_id: int) -> Sequence[UUID]:
    """End every session of a user; returns those that were live."""
    query = update(UserSession).where(
        UserSession.user_id == user_id, UserSession.ended_at.is_(None)
    )
    return session.scalars(query.values(ended_at=func.now()).returning(UserSession.id)).all()


def ended_lately(session: Session, *, within: timedelta) -> Sequence[UUID]:
    """Sessions that somebody ended lately."""
    query = select(UserSession.id).where(UserSession.ended_at > func.now() - within)
    return session.scalars(query).all()


def changed(session: Session, *, within: timedelta) -> Sequence[UUID]:
    """Live sessions whose user's account was changed lately, and after they were started."""
    query = (
        select(UserSession.id)
        .join(User, User.id == UserSession.user_id)
        .where(
            User.updated_at > func.now() - within,
            User.updated_at > UserSession.created_at,
            UserSession.ended_at.is_(None),
            UserSession.expires_at > func.now(),
        )
    )
    return session.scalars(query).all()


def key_standing(session: Session, hashed: str) -> KeyStanding | None:
    """Whose key it is, and its use is noted; None where it is unknown or over."""
    query = (
        select(ApiKey, User.role, User.subscription_tier)
        .join(User, User.id == ApiKey.user_id)
        .where(
            ApiKey.key_hash == hashed,
            ApiKey.revoked_at.is_(None),
            func.coalesce(ApiKey.expires_at, func.now() + timedelta(days=1)) > func.now(),
            User.is_active,
        )
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    _note_use(session, found.ApiKey)
    key: ApiKey = found.ApiKey
    expires_at = key.expires_at.timestamp() if key.expires_at else None
    of_user = (key.user_id, found.role, found.subscription_tier)
    return KeyStanding(*of_user, str(key.id), tuple(key.scopes), expires_at)


def keys_changed(session: Session, *, within: timedelta) -> Sequence[str]:
    """Hashes of keys that were revoked or replaced lately, or whose user was changed since."""
    since = func.now() - within
    revoked = select(ApiKey.key_hash).where(ApiKey.revoked_at > since)
    replaced = select(ApiKey.key_hash).where(ApiKey.replaced_at > since)
    of_changed = (
        select(ApiKey.key_hash)
        .join(User, User.id == ApiKey.user_id)
        .where(User.updated_at > since, User.updated_at > ApiKey.created_at)
    )
    return session.scalars(union_all(revoked, replaced, of_changed)).all()


def _note_use(session: Session, key: ApiKey) -> None:
    session.execute(_ASYNC_COMMIT)
    stale = (ApiKey.last_used_at.is_(None)) | (ApiKey.last_used_at < func.now() - NOTED_EVERY)
    session.execute(
        update(ApiKey)
        .where(ApiKey.id == key.id, stale)
        .values(last_used_at=func.now(), last_used_from=present().address[:45] or None)
        .execution_options(synchronize_session=False)
    )
