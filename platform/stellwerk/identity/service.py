"""The rules of accounts: profiles, admins."""

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.clock import utc_now
from stellwerk.db.engine import Sessions
from stellwerk.errors import (
    Conflict,
    FieldError,
    InvalidInput,
    NotFound,
)
from stellwerk.identity import acts, api_keys, links, passwords
from stellwerk.identity import sessions as ledger
from stellwerk.identity.links import Purpose
from stellwerk.identity.model import User
from stellwerk.identity.permissions import Role
from stellwerk.identity.queries import has_email

PASSWORD_MIN = 10  # characters
PASSWORD_MAX = 200

WaysIn = Callable[[Session, int], None]  # ends those that another domain gave into an account

_USERNAME_LETTERS = 40  # kept of the address; the rest of 64 is for the suffix


def by_email(session: Session, email: str) -> User | None:
    """The account of an address, without regard to case."""
    return session.scalar(select(User).where(has_email(email)))


def get_user(session: Session, user_id: int) -> User:
    """One account; raises NotFound."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound(f"There is no user {user_id}.")
    return user


def change_profile(sessions: Sessions, user_id: int, fields: Mapping[str, Any]) -> User:
    """Set what a user may set of their own account; raises Conflict for a taken username."""
    try:
        with sessions.begin() as session:
            user = get_user(session, user_id)
            for name, value in fields.items():
                setattr(user, name, value)
            session.flush()
            session.refresh(user)
            return user
    except IntegrityError as exc:
        raise Conflict("The username is taken.", details={"field": "username"}) from exc


def create_admin(
    sessions: Sessions, email: str, password: str, *, promote: WaysIn | None = None
) -> int:
    """Make an admin account and return its id.

    An address that has an account is refused with Conflict, unless there is `promote`: then it
    becomes an admin with this password, and every other way into it ends. Raises InvalidInput.
    """
    check_password(password)
    values = new_user(normalised(email), password)
    values |= {"role": Role.ADMIN.value, "email_verified_at": utc_now(), "is_active": True}
    with sessions.begin() as session:
        user = by_email(session, values["email"])
        if user is None:
            user = User(**values)
            session.add(user)
            session.flush()
            acts.installed(session, Action.ACCOUNT_INSTALLED, user.id)
        elif promote:
            _make_admin(session, user, values)
            promote(session, user.id)
            acts.installed(session, Action.ACCOUNT_PROMOTED, user.id)
        else:
            raise Conflict(f"{user.email} has an account already; --promote makes it an admin.")
        return user.id


def normalised(email: str) -> str:
    """The address as it is stored; raises InvalidInput (field `email`)."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  slow to import

    try:
        checked = validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError as exc:
        raise _wrong("email", str(exc)) from exc
    return checked.normalized


def check_password(password: str) -> None:
    """Raise InvalidInput (field `password`) for one that is too short or too long."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise _wrong("password", f"Needs {PASSWORD_MIN} to {PASSWORD_MAX} characters.")


def new_user(email: str, password: str) -> dict[str, Any]:
    """The columns of an account that has a normalised address and a first username."""
    stem = re.sub(r"[^a-z0-9_.-]", "", email.partition("@")[0].lower())[:_USERNAME_LETTERS]
    return {
        "email": email,
        "username": f"{stem or 'user'}-{secrets.token_hex(4)}",
        "password_hash": passwords.hashed(password),
    }


def _make_admin(session: Session, user: User, values: Mapping[str, Any]) -> None:
    for name in ("role", "password_hash", "is_active"):
        setattr(user, name, values[name])
    user.email_verified_at = user.email_verified_at or values["email_verified_at"]
    for purpose in Purpose:
        links.void(session, user.id, purpose)
    api_keys.revoke_all_of(session, user.id)
    ledger.end_all_of(session, user.id)


def _wrong(field: str, reason: str) -> InvalidInput:
    return InvalidInput(reason, errors=[FieldError(field, reason)])
