"""What administrators change of accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from stellwerk.db.engine import Sessions
from stellwerk.errors import Conflict, ErrorCode, NotFound
from stellwerk.identity import acts
from stellwerk.identity import sessions as ledger
from stellwerk.identity.model import ApiKey, User
from stellwerk.identity.permissions import Role


@dataclass(frozen=True, slots=True)
class Changed:
    """An account after a change, and whose credentials every process has to forget."""

    user: User
    ended_sessions: Sequence[UUID] = ()
    key_hashes: Sequence[str] = ()


def change_user(sessions: Sessions, user_id: int, fields: Mapping[str, Any], *, by: int) -> Changed:
    """Set what an administrator may set; `by`: that administrator.

    Another role, or a disabled account, ends its sessions; its keys follow at once, since they may
    what their owner may. Raises NotFound, Conflict (LAST_ADMIN).
    """
    with sessions.begin() as session:
        admins = _locked_admins(session)
        user = _locked(session, user_id)
        stood = (user.role, user.is_active)
        before = {name: getattr(user, name) for name in fields}
        for name, value in fields.items():
            setattr(user, name, value)
        acts.administered(session, user, before, fields, by)
        if admins == [user_id] and (user.role, user.is_active) != stood:
            raise Conflict(
                f"{user.email} is the last administrator. Make another one first.",
                code=ErrorCode.LAST_ADMIN,
            )
        session.flush()
        session.refresh(user)
        if (user.role, user.is_active) == stood:
            return Changed(user)
        return Changed(user, ledger.end_all_of(session, user_id), _key_hashes(session, user_id))


def _locked_admins(session: Session) -> list[int]:
    """Those who can sign in, in the order of ids; nobody else changes them meanwhile."""
    query = select(User.id).where(User.role == Role.ADMIN, User.is_active).order_by(User.id)
    return list(session.scalars(query.with_for_update(key_share=True)))


def _locked(session: Session, user_id: int) -> User:
    user = session.get(User, user_id, with_for_update={"key_share": True}, populate_existing=True)
    if user is None:
        raise NotFound(f"There is no user {user_id}.")
    return user


def _key_hashes(session: Session, user_id: int) -> Sequence[str]:
    query = select(ApiKey.key_hash).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    return session.scalars(query).all()
