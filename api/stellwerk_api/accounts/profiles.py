"""Accounts as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Response

from stellwerk.clock import rfc3339
from stellwerk.errors import NotAuthenticated
from stellwerk.identity import queries, service, signing_in
from stellwerk.identity.model import User
from stellwerk.identity.signing_in import SignIn
from stellwerk_api.auth import caller, credentials
from stellwerk_api.context import platform
from stellwerk_api.json_answers import json_answer


def profile(user: User) -> dict[str, Any]:
    """An account as its owner sees it."""
    here = platform()
    with here.runtime.sessions() as session:
        return plain(queries.profile(session, here.settings, user))


def plain(found: Mapping[str, Any]) -> dict[str, Any]:
    """The same with times as text."""
    return {
        name: rfc3339(value) if isinstance(value, datetime) else value
        for name, value in found.items()
    }


def own_profile() -> Response:
    """The caller's account."""
    with platform().runtime.sessions() as session:
        user = service.get_user(session, caller().user_id)
    return json_answer(profile(user))


def signed_in(body: Mapping[str, Any]) -> Response:
    """A new session."""
    return tokens_of(signing_in.login(platform().runtime, credentials().tokens, **body))


def renewed(refresh_token: str) -> Response:
    """The session's next tokens; one whose token comes back a second time ends here."""
    found = signing_in.renew(platform().runtime, credentials().tokens, refresh_token)
    if found.ended:
        credentials().forget([found.ended])
    if found.renewed is None:
        raise NotAuthenticated("The refresh token is not valid, or not any more. Sign in again.")
    return tokens_of(found.renewed)


def tokens_of(started: SignIn) -> Response:
    """A session's tokens, and whose it is."""
    return json_answer(
        {
            "access_token": started.access_token,
            "refresh_token": started.refresh_token,
            "token_type": "bearer",
            "expires_in": started.expires_in,
            "user": profile(started.user),
        }
    )
