"""Accounts and channels for tests, put straight into the ledger."""

from secrets import token_hex
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy.orm import Session

from stellwerk.bootstrap import Platform
from stellwerk.identity.model import User
from stellwerk.studio.model import Channel

_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def quickly_hashed(password: str) -> str:
    """A hash that the platform takes, and compares in no time: a hash names its parameters."""
    return _QUICK.hash(password)


def add_user(platform: Platform, **fields: Any) -> int:
    """A new account; returns its id."""
    name = token_hex(6)
    values = {"email": f"{name}@example.com", "username": name, "password_hash": "!", **fields}
    with platform.runtime.sessions.begin() as session:
        return _added(session, User(**values))


def add_channel(platform: Platform, user_id: int, name: str = "Signals") -> int:
    """A new channel; returns its id."""
    with platform.runtime.sessions.begin() as session:
        return _added(session, Channel(user_id=user_id, name=name))


def _added(session: Session, row: User | Channel) -> int:
    session.add(row)
    session.flush()
    return row.id
