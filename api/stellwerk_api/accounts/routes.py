"""`/api/v1/auth` and `/api/v1/users/me`."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from stellwerk.errors import NotPermitted
from stellwerk.identity.notices import Occasion
from stellwerk.jobs.queries import API
from stellwerk_api.accounts import proofs
from stellwerk_api.accounts.profiles import own_profile, renewed, signed_in
from stellwerk_api.accounts.schemas import (
    AddressBody,
    ChangePasswordBody,
    LinkQuery,
    LoginAnswer,
    LoginBody,
    NewPasswordBody,
    ProfileBody,
    RefreshBody,
    RegisterBody,
    SaidAnswer,
    UsageSchema,
    UserSchema,
)
from stellwerk_api.accounts.usage import own_usage
from stellwerk_api.auth import anybodys, caller, credentials, requires, signs_in, writes
from stellwerk_api.blueprint import Blueprint
from stellwerk_api.json_answers import ApiResponse
from stellwerk_api.privacy import requests
from stellwerk_api.privacy.schemas import ConfirmBody, ErasureSchema

accounts = Blueprint("accounts", url_prefix=API, description="Registering, signing in, profile.")
BLUEPRINTS = (accounts,)

PASSWORD = "correct horse battery"  # noqa: S105  an example
SOMEBODY = {"email": "ada@example.com", "password": PASSWORD}


@accounts.post("/auth/register")
@writes
@accounts.body(RegisterBody, example=SOMEBODY)
@accounts.answers(202, SaidAnswer)
def register(body: Mapping[str, Any]) -> Response:
    """Make an account; the answer never tells whether the address has one. A mail follows."""
    return proofs.registered(body)


@accounts.get("/auth/verify-email")
@writes
@accounts.query(LinkQuery)
@accounts.answers(200, SaidAnswer)
@accounts.raises(409, 422)
def verify(query: Mapping[str, Any]) -> Response:
    """Follow the link of a mail, which is good once: the address is verified."""
    return proofs.verified(query["token"])


@accounts.post("/auth/verify-email")
@writes
@accounts.body(AddressBody, example={"email": "ada@example.com"})
@accounts.answers(202, SaidAnswer)
def verify_again(body: Mapping[str, Any]) -> Response:
    """Ask for another mail to verify one's address."""
    return proofs.written(Occasion.UNVERIFIED, body["email"])


@accounts.post("/auth/password-reset")
@writes
@accounts.body(AddressBody, example={"email": "ada@example.com"})
@accounts.answers(202, SaidAnswer)
def forgot(body: Mapping[str, Any]) -> Response:
    """Ask for a mail with a link that sets a new password."""
    return proofs.written(Occasion.FORGOTTEN, body["email"])


@accounts.get("/auth/password-reset")
@accounts.query(LinkQuery)
@accounts.answers(200, SaidAnswer)
@accounts.raises(422)
def tell_how(query: Mapping[str, Any]) -> Response:
    """Follow the link of such a mail: it tells what to send where. That uses nothing up."""
    del query
    return proofs.told_how()


@accounts.post("/auth/password-reset/confirm")
@writes
@accounts.body(NewPasswordBody, example={"token": "from-the-mail", "password": PASSWORD})
@accounts.answers(204)
def reset(body: Mapping[str, Any]) -> Response:
    """Set a new password by the link of a mail; every session ends."""
    return proofs.reset(body)


@accounts.post("/auth/password")
@requires("account:write")
@accounts.body(
    ChangePasswordBody, example={"current_password": "the present one", "new_password": PASSWORD}
)
@accounts.answers(204)
def change_password(body: Mapping[str, Any]) -> Response:
    """Set a new password; every session ends, this one too."""
    return proofs.changed_password(body)


@accounts.post("/auth/login")
@signs_in
@accounts.body(LoginBody, example=SOMEBODY)
@accounts.answers(200, LoginAnswer)
@accounts.raises(401, 403)
def login(body: Mapping[str, Any]) -> Response:
    """Sign in; the access token goes into `Authorization: Bearer`."""
    return signed_in(body)


@accounts.post("/auth/refresh")
@anybodys
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
    credentials().end_session(caller().user_id, session_id)
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
@accounts.raises(404, 409)
def change(body: Mapping[str, Any]) -> Response:
    """Change one's own account; another address is asked for, and verified by a mail."""
    return proofs.changed_profile(body)


@accounts.get("/users/me/usage")
@requires("account:read")
@accounts.answers(200, UsageSchema)
def show_usage() -> dict[str, Any]:
    """See what was used of what the account may."""
    return own_usage()


@accounts.delete("/users/me")
@requires("privacy:manage")
@accounts.body(ConfirmBody, example={"password": PASSWORD})
@accounts.answers(202, ErasureSchema)
@accounts.raises(404, 409)
def delete(body: Mapping[str, Any]) -> dict[str, Any]:
    """Have one's account erased, with everything that is held of one; needs a proof."""
    return requests.erased(body)
