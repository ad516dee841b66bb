"""What is put on record about accounts and sessions."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action, Party
from stellwerk.audit.trail import prepare, record
from stellwerk.identity.model import User


def own(session: Session, action: Action, user_id: int, **details: Any) -> None:
    """A user did it to their own account."""
    record(session, action=action, actor=user_id, subject_user_id=user_id, details=details)


def of_session(
    session: Session, action: Action, user_id: int, session_id: UUID, *, by_owner: bool = True
) -> None:
    """A session started or ended; where it was not by its owner, nobody knows by whom."""
    record(
        session,
        action=action,
        actor=user_id if by_owner else Party.NOBODY,
        subject_user_id=user_id,
        target=f"session:{session_id}",
    )


def refused(session: Session, email: str, user: User | None, why: str) -> None:
    """Somebody could not sign in; as much is done where the address is unknown."""
    about = user.id if user else None
    prepare(session, about)
    record(
        session,
        action=Action.SESSION_REFUSED,
        actor=Party.NOBODY,
        subject_user_id=about,
        details={"email": email, "why": why},
    )


def registered(session: Session, user_id: int | None, *, is_new: bool) -> None:
    """Somebody registered an address: as much is done where it has an account.

    So no key is made for the new user here, and the entry is about nobody; `target` leads to it.
    """
    action = Action.ACCOUNT_REGISTERED if is_new else Action.ACCOUNT_REGISTERED_AGAIN
    record(session, action=action, actor=Party.NOBODY, target=f"user:{user_id}")


def administered(
    session: Session, user: User, before: Mapping[str, Any], fields: Mapping[str, Any], by: int
) -> None:
    """An administrator changed an account: each field with its value before and after."""
    changed = {
        name: [before[name], value] for name, value in fields.items() if before[name] != value
    }
    if not changed:
        return
    action = Action.ACCOUNT_CHANGED
    if "is_active" in changed:
        action = Action.ACCOUNT_ENABLED if fields["is_active"] else Action.ACCOUNT_DISABLED
    record(session, action=action, actor=by, subject_user_id=user.id, details=changed)


def installed(session: Session, action: Action, user_id: int) -> None:
    """An administrator was made at the command line."""
    record(session, action=action, actor=Party.COMMAND_LINE, subject_user_id=user_id)
