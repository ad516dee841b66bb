"""How long credentials stand, for those who go on using what they were once shown for.

A credential is named `session:<id>` or `key:<id>`.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from stellwerk.identity.caller import Caller
from stellwerk.identity.model import ApiKey, User, UserSession

SESSION = "session"
KEY = "key"


def credential(caller: Caller) -> str:
    """The name of what a caller showed."""
    return f"{SESSION}:{caller.session_id}" if caller.session_id else f"{KEY}:{caller.key_id}"


def expires_at(session: Session, caller: Caller) -> datetime | None:
    """When the caller's access token or key ends by itself; None: never."""
    if caller.token_ends_at is not None:
        return datetime.fromtimestamp(caller.token_ends_at, UTC)
    key = session.get(ApiKey, caller.key_id)
    return key.expires_at if key else None


def ended_of(session: Session, credentials: Collection[str]) -> set[str]:
    """Those of the credentials that do not stand any more, in one query a kind."""
    standing = {f"{SESSION}:{found}" for found in _sessions(session, _ids(credentials, SESSION))}
    standing |= {f"{KEY}:{found}" for found in _keys(session, _ids(credentials, KEY))}
    return set(credentials) - standing


def _sessions(session: Session, ids: Iterable[UUID]) -> Iterable[UUID]:
    query = select(UserSession.id).join(User, User.id == UserSession.user_id)
    stands = (UserSession.ended_at.is_(None), UserSession.expires_at > func.now(), User.is_active)
    return session.scalars(query.where(UserSession.id.in_(ids), *stands)) if ids else ()


def _keys(session: Session, ids: Iterable[UUID]) -> Iterable[UUID]:
    query = select(ApiKey.id).join(User, User.id == ApiKey.user_id)
    is_in_time = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now())
    stands = (ApiKey.revoked_at.is_(None), is_in_time, User.is_active)
    return session.scalars(query.where(ApiKey.id.in_(ids), *stands)) if ids else ()


def _ids(credentials: Iterable[str], kind: str) -> list[UUID]:
    split = (name.partition(":") for name in credentials)
    return [UUID(text) for found, _, text in split if found == kind]
