"""What connections hold of a person: accounts elsewhere, and the way in by them."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from stellwerk.connections.model import (
    OauthConnection,
    OauthIdentity,
    OauthRevocation,
    OauthState,
)
from stellwerk.db.personal import held, remove_batch

SECRETS = ("sealed", "state_hash", "nonce_hash", "ticket_hash", "password_mark")


def export(session: Session, user_id: int) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """Everything but tokens and what proves that a browser is the same."""
    return {
        "connections": held(
            session, OauthConnection, OauthConnection.user_id == user_id, without=SECRETS
        ),
        "identities": held(session, OauthIdentity, OauthIdentity.user_id == user_id),
        "requests": held(session, OauthState, OauthState.user_id == user_id, without=SECRETS),
        "revocations": held(
            session, OauthRevocation, OauthRevocation.user_id == user_id, without=SECRETS
        ),
    }


def erase(session: Session, user_id: int) -> Mapping[str, int]:
    """Remove a batch; sealed copies of tokens in Redis expire within minutes."""
    return {
        "connections": remove_batch(session, OauthConnection, OauthConnection.user_id == user_id),
        "identities": remove_batch(session, OauthIdentity, OauthIdentity.user_id == user_id),
        "requests": remove_batch(session, OauthState, OauthState.user_id == user_id),
        "revocations": remove_batch(session, OauthRevocation, OauthRevocation.user_id == user_id),
    }
