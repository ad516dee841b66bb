"""Accounts as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Response

from stellwerk.choices import Mode
from stellwerk.clock import rfc3339
from stellwerk.identity import queries, service
from stellwerk.identity.model import User
from stellwerk.identity.service import LoginRules
from stellwerk_api.auth import caller, credentials
from stellwerk_api.context import platform
from stellwerk_api.json_answers import json_answer


def profile(user: User) -> dict[str, Any]:
    """An account as its owner sees it."""
    here = platform()
    with here.runtime.sessions() as session:
        shown = queries.profile(session, here.settings, user)
    return {
        name: rfc3339(value) if isinstance(value, datetime) else value
        for name, value in shown.items()
    }


def own_profile() -> Response:
    """The caller's account."""
    with platform().runtime.sessions() as session:
        user = service.get_user(session, caller().user_id)
    return json_answer(profile(user))


def signed_in(body: Mapping[str, Any]) -> Response:
    """A new session."""
    here = platform()
    started = service.login(
        here.runtime.sessions,
        credentials().tokens,
        email=body["email"],
        password=body["password"],
        rules=LoginRules(here.settings.access_token_ttl_s, _unverified_may_sign_in()),
    )
    return json_answer(
        {
            "access_token": started.access_token,
            "token_type": "bearer",
            "expires_in": started.expires_in,
            "user": profile(started.user),
        }
    )


def _unverified_may_sign_in() -> bool:
    settings = platform().settings
    allowed = settings.allow_unverified_login
    return settings.mode is Mode.DEVELOPMENT if allowed is None else allowed
