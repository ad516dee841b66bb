"""What the routes of this folder answer with."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record_look
from stellwerk.identity import administration, queries, service
from stellwerk.identity.model import User
from stellwerk.identity.queries import UserFilter
from stellwerk_api.accounts.profiles import plain
from stellwerk_api.auth import caller, credentials
from stellwerk_api.context import platform
from stellwerk_api.pagination import int_cursor, page

OWN_LIMITS = ("channels_limit", "daily_video_limit", "monthly_budget")


def listed(query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of accounts."""
    wanted = UserFilter(
        email=query["email"],
        role=query["role"],
        tier=query["tier"],
        is_active=query["is_active"],
        after_id=int_cursor(query["cursor"]),
        limit=query["limit"] + 1,
    )
    with platform().runtime.sessions.begin() as session:
        found = queries.users(session, wanted)
        _note_look(session, Action.ACCOUNTS_LISTED, "accounts:everybodys")
    return page(_shown(found), query["limit"], "id")


def shown(user_id: int) -> dict[str, Any]:
    """One account; raises NotFound."""
    with platform().runtime.sessions.begin() as session:
        user = service.get_user(session, user_id)
        if user_id != caller().user_id:
            _note_look(session, Action.ACCOUNT_READ, f"user:{user_id}", user_id)
    return _shown([user])[0]


def changed(user_id: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The account after a change that every process knows of; raises NotFound, Conflict."""
    sessions = platform().runtime.sessions
    done = administration.change_user(sessions, user_id, fields, by=caller().user_id)
    credentials().forget(done.ended_sessions, done.key_hashes)
    return _shown([done.user])[0]


def _note_look(
    session: Session, action: Action, target: str, subject_user_id: int | None = None
) -> None:
    by = caller().user_id
    record_look(session, action=action, actor=by, target=target, subject_user_id=subject_user_id)


def _shown(users: Sequence[User]) -> list[dict[str, Any]]:
    here = platform()
    with here.runtime.sessions() as session:
        profiles = list(queries.profiles(session, here.settings, users))
    return [
        {**plain(profile), "own_limits": {name: getattr(user, name) for name in OWN_LIMITS}}
        for profile, user in zip(profiles, users, strict=True)
    ]
