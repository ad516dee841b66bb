"""`/api/v1/auth` and `/api/v1/users/me`."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from stellwerk.errors import NotPermitted
from stellwerk.identity import service
from stellwerk.jobs.queries import API
from stellwerk_api.accounts.profiles import own_profile, renewed, signed_in
from stellwerk_api.accounts.schemas import (
    LoginAnswer,
    LoginBody,
    ProfileBody,
    RefreshBody,
    RegisterAnswer,
    RegisterBody,
    UsageSchema,
    UserSchema,
)
from stellwerk_api.accounts.usage import own_usage
from stellwerk_api.auth import caller, credentials, requires
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.context import platform
from stellwerk_api.json_answers import ApiResponse, json_answer

accounts = Blueprint("accounts", url_prefix=API, description="Registering, signing in, profile.")
BLUEPRINTS = (accounts,)

REGISTERED = {"message": "If the address is new, its account is ready. Sign in."}
SOMEBODY = {"email": "ada@example.com", "password": "correct horse battery"}


@accounts.post("/auth/register")
@accounts.body(RegisterBody, example=SOMEBODY)
@accounts.answers(202, RegisterAnswer)
def register(body: Mapping[str, Any]) -> Response:
    """Make an account; the answer never tells whether the address has one."""
    service.register(platform().runtime.sessions, **body)
    return json_answer(REGISTERED, 202)


@accounts.post("/auth/login")
@accounts.body(LoginBody, example=SOMEBODY)
@accounts.answers(200, LoginAnswer)
@accounts.raises(401, 403)
def login(body: Mapping[str, Any]) -> Response:
    """Sign in; the access token goes into `Authorization: Bearer`."""
    return signed_in(body)


@accounts.post("/auth/refresh")
@accounts.body(RefreshBody, example={"refresh_token": f"swr_{'0' * 64}"})
@accounts.answers(200, LoginAnswer)
@accounts.raises(401)
def refresh(body: Mapping[str, Any]) -> Response:
    """Renew the session: every refresh token is good for one renewal.

    One that comes back ends its session, unless it is the same request once more: within some
    seconds, and before the answer to the first was used, it is answered alike.
    """
    return renewed(body["refresh_token"])


@accounts.post("/auth/logout")
@requires("account:write")
@accounts.answers(204)
def logout() -> Response:
    """Sign out: the token is worth nothing from now on."""
    session_id = caller().session_id
    if session_id is None:
        raise NotPermitted("An API key has no session; revoke the key instead.")
    credentials().end_session(session_id)
    return ApiResponse(status=204)


@accounts.get("/auth/me")
@requires("account:read")
@accounts.answers(200, UserSchema)
def who_am_i() -> Response:
    """Look at the account that is signed in."""
    return own_profile()


@accounts.get("/users/me")
@requires("account:read")
@accounts.answers(200, UserSchema)
def show() -> Response:
    """Look at one's own account."""
    return own_profile()


@accounts.patch("/users/me")
@requires("account:write")
@accounts.body(ProfileBody, example={"full_name": "Ada Lovelace"})
@accounts.answers(200, UserSchema)
@accounts.raises(409)
def change(body: Mapping[str, Any]) -> Response:
    """Change one's own account."""
    service.change_profile(platform().runtime.sessions, caller().user_id, body)
    return own_profile()


@accounts.get("/users/me/usage")
@requires("account:read")
@accounts.answers(200, UsageSchema)
def show_usage() -> dict[str, Any]:
    """See what was used of what the account may."""
    return own_usage()
