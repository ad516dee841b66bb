"""The rules of API keys: making, rotating with an overlap, revoking."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record
from stellwerk.clock import new_id, rfc3339, utc_now
from stellwerk.db.engine import Sessions
from stellwerk.errors import Conflict, NotFound
from stellwerk.identity import sessions as ledger
from stellwerk.identity.model import ApiKey, User
from stellwerk.identity.random_keys import VISIBLE_LETTERS, key_hash, new_key

KEYS_MAX = 50  # keys of one user that were neither revoked nor replaced
OVERLAP_H = 24.0
OVERLAP_MAX_H = 7 * 24.0


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key and its text, which is nowhere kept."""

    key: ApiKey
    text: str


@dataclass(frozen=True, slots=True)
class Rotated:
    """The new key, and the replaced one as it is now."""

    new: NewKey
    old: ApiKey


def create(
    sessions: Sessions,
    user_id: int,
    *,
    session_id: UUID | None,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
) -> NewKey:
    """A new API key; raises Conflict for a name that is taken, and at 50 keys.

    `session_id`: by which it is asked for; NotAuthenticated where that has ended.
    """
    with sessions.begin() as session:
        _hold(session, user_id, session_id)
        own = session.scalars(_own(user_id).where(ApiKey.replaced_at.is_(None))).all()
        if any(key.name == name for key in own):
            message = f"You have a key named {name!r}. Rotate or revoke it, or choose another name."
            raise Conflict(message, details={"field": "name"})
        if len(own) >= KEYS_MAX:
            raise Conflict(f"You have {KEYS_MAX} API keys. Revoke one first.")
        made = _made(user_id, name, scopes, expires_at)
        session.add(made.key)
        _note(session, Action.API_KEY_CREATED, made.key)
        session.flush()
        session.refresh(made.key)
    return made


def rotate(
    sessions: Sessions,
    user_id: int,
    key_id: UUID,
    *,
    session_id: UUID | None,
    overlap_h: float,
    expires_at: datetime | None = None,
) -> Rotated:
    """A new key with the name and scopes of an old one, which works for `overlap_h` more.

    Without an `expires_at` it is made for as long as the old one was. Raises NotFound, Conflict for
    a key that is over or was replaced already, and what `create` does for a session.
    """
    now = utc_now()
    with sessions.begin() as session:
        _hold(session, user_id, session_id)
        old = own_key(session, user_id, key_id)
        if old.replaced_at or (old.expires_at and old.expires_at <= now):
            raise Conflict("Only a key that is in use, and was not replaced, can be rotated.")
        made = _made(user_id, old.name, old.scopes, expires_at or _as_long(old, now))
        until = now + timedelta(hours=overlap_h)
        old.expires_at = min(until, old.expires_at or until)
        old.replaced_at, old.replaced_by = now, made.key.id
        session.flush()  # before the new one: both have the name
        session.add(made.key)
        _note(session, Action.API_KEY_ROTATED, old, replaced_by=str(made.key.id))
        session.flush()
        session.refresh(made.key)
    return Rotated(made, old)


def revoke(sessions: Sessions, user_id: int, key_id: UUID) -> str:
    """End a key and return its hash; raises NotFound where the user has no such key."""
    with sessions.begin() as session:
        key = session.get(ApiKey, key_id, with_for_update=True)
        if key is None or key.user_id != user_id:
            raise _no_such(key_id)
        if key.revoked_at is None:
            key.revoked_at = utc_now()
            _note(session, Action.API_KEY_REVOKED, key)
        return key.key_hash


def revoke_all_of(session: Session, user_id: int) -> Sequence[str]:
    """End all keys of a user; returns the hashes of those that stood."""
    query = update(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    return session.scalars(query.values(revoked_at=func.now()).returning(ApiKey.key_hash)).all()


def own_keys(session: Session, user_id: int) -> Sequence[ApiKey]:
    """A user's keys, newest first, without those that were revoked or whose overlap is over."""
    is_of_use = ApiKey.replaced_at.is_(None) | (ApiKey.expires_at > func.now())
    query = _own(user_id).where(is_of_use)
    return session.scalars(query.order_by(ApiKey.id.desc())).all()


def own_key(session: Session, user_id: int, key_id: UUID) -> ApiKey:
    """One of a user's keys that was not revoked; raises NotFound."""
    key = session.scalar(_own(user_id).where(ApiKey.id == key_id))
    if key is None:
        raise _no_such(key_id)
    return key


def _own(user_id: int) -> Select[ApiKey]:
    return select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))


def _hold(session: Session, user_id: int, session_id: UUID | None) -> None:
    """One after the other changes what keys a user has, while the session that asks stands."""
    session.get_one(User, user_id, with_for_update={"key_share": True})
    ledger.require_standing(session, session_id)


def _made(user_id: int, name: str, scopes: Sequence[str], expires_at: datetime | None) -> NewKey:
    text = new_key()
    key = ApiKey(
        id=new_id(),
        user_id=user_id,
        name=name,
        prefix=text[:VISIBLE_LETTERS],
        key_hash=key_hash(text),
        scopes=list(scopes),
        expires_at=expires_at,
    )
    return NewKey(key, text)


def _as_long(old: ApiKey, now: datetime) -> datetime | None:
    return old.expires_at and now + (old.expires_at - old.created_at)


def _note(session: Session, action: Action, key: ApiKey, **more: str) -> None:
    told = {"name": key.name, "scopes": key.scopes, "expires_at": rfc3339(key.expires_at), **more}
    record(
        session,
        action=action,
        actor=key.user_id,
        subject_user_id=key.user_id,
        target=f"api_key:{key.id}",
        details=told,
    )


def _no_such(key_id: UUID) -> NotFound:
    return NotFound(f"There is no API key {key_id}.")
