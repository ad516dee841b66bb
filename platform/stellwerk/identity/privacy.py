"""What accounts hold of a person: profile, sessions, API keys."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from stellwerk.db.personal import held, remove_batch
from stellwerk.identity.model import ApiKey, MailedLink, User, UserSession


def export(session: Session, user_id: int) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """Everything but what proves who somebody is."""
    return {
        "profile": held(session, User, User.id == user_id, without=["password_hash"]),
        "sessions": held(session, UserSession, UserSession.user_id == user_id),
        "api_keys": held(session, ApiKey, ApiKey.user_id == user_id, without=["key_hash"]),
        "mailed_links": held(
            session, MailedLink, MailedLink.user_id == user_id, without=["token_hash"]
        ),
    }


def erase(session: Session, user_id: int) -> Mapping[str, int]:
    """Remove the account, once no row of another domain refers to it."""
    return {
        "sessions": remove_batch(session, UserSession, UserSession.user_id == user_id),
        "api_keys": remove_batch(session, ApiKey, ApiKey.user_id == user_id),
        "mailed_links": remove_batch(session, MailedLink, MailedLink.user_id == user_id),
        "profile": remove_batch(session, User, User.id == user_id),
    }
