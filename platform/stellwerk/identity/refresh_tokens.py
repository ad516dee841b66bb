"""Refresh tokens: each renews its session once, and one that comes back ends the session.

The successor is derived from its predecessor and a key of the vault. So whoever did not get an
answer and asks again, soon, is told the same successor, though nothing of it is kept but its hash.
Once that was used, or the grace is over, a spent token means that two have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stellwerk.identity.model import RefreshToken, User, UserSession
from stellwerk.identity.random_keys import key_hash
from stellwerk.settings import Settings
from stellwerk.vault import Vault

PREFIX = "swr_"
BYTES = 32


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a refresh token led to; without a successor its session was ended."""

    family: UserSession
    successor: str | None


def first(session: Session, session_id: UUID, expires_at: datetime) -> str:
    """The first refresh token of a new session."""
    token = PREFIX + token_hex(BYTES)
    _keep(session, session_id, token, expires_at)
    return token


def rotate(session: Session, vault: Vault, settings: Settings, token: str) -> Rotation | None:
    """Spend a token; None where it renews nothing, or nothing any more.

    Those of one session wait for each other here.
    """
    shown = session.get(RefreshToken, key_hash(token))
    family = _standing_family(session, shown.session_id) if shown else None
    if shown is None or family is None:
        return None
    session.refresh(shown)  # it may have been spent while its session was locked
    now = session.scalars(select(func.clock_timestamp())).one()
    if shown.expires_at <= now:
        return None
    successors = [PREFIX + mark for mark in vault.marks(f"successor of {token}".encode())]
    if shown.spent_at is None:
        shown.spent_at = now
        family.expires_at = now + timedelta(seconds=settings.refresh_token_ttl_s)
        _keep(session, family.id, successors[0], family.expires_at)
        return Rotation(family, successors[0])
    if now - shown.spent_at <= timedelta(seconds=settings.refresh_grace_s):
        again = _unspent(session, successors)
        if again:
            return Rotation(family, again)
    family.ended_at = now
    return Rotation(family, None)


def _standing_family(session: Session, session_id: UUID) -> UserSession | None:
    query = (
        select(UserSession)
        .join(User, User.id == UserSession.user_id)
        .where(UserSession.id == session_id, UserSession.ended_at.is_(None), User.is_active)
        .with_for_update(of=UserSession)
    )
    return session.scalar(query)


def _keep(session: Session, session_id: UUID, token: str, expires_at: datetime) -> None:
    kept = RefreshToken(token_hash=key_hash(token), session_id=session_id, expires_at=expires_at)
    session.add(kept)
    session.flush()


def _unspent(session: Session, tokens: Sequence[str]) -> str | None:
    by_hash = {key_hash(token): token for token in tokens}
    query = select(RefreshToken.token_hash).where(
        RefreshToken.token_hash.in_(by_hash), RefreshToken.spent_at.is_(None)
    )
    found = session.scalar(query)
    return by_hash[found] if found else None
