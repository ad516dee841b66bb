"""Signing in with an outside account: a code becomes a session of the platform.

Only who it is matters here. The provider's own tokens are given back at once; an account that jobs
work with is connected by itself.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from stellwerk.connections import identities
from stellwerk.connections.queries import Place
from stellwerk.connections.servers import turn
from stellwerk.connections.service import discard
from stellwerk.errors import (
    Conflict,
    ErrorCode,
    FieldError,
    InvalidInput,
    MalformedRequest,
    NotAuthenticated,
    NotFound,
    NotPermitted,
)
from stellwerk.identity import acts, passwords
from stellwerk.identity.model import User
from stellwerk.identity.permissions import Audience
from stellwerk.identity.service import normalised
from stellwerk.identity.signing_in import SignIn, start
from stellwerk.identity.tokens import Tokens
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.oauth.protocol import Account, AuthorizationServer

NEXTCLOUD = "nextcloud"
NOBODYS_DOMAIN = "nextcloud.invalid"  # RFC 2606: no mail ever gets there


@dataclass(frozen=True, slots=True)
class Shown:
    """What an app brings from Nextcloud; `redirect_url`: where it had the code sent."""

    code: str = field(repr=False)
    code_verifier: str | None = field(repr=False)
    redirect_url: str | None


def sign_in(runtime: Runtime, tokens: Tokens, shown: Shown) -> SignIn:
    """A session, for the telephony audience, of the user of a code's account.

    The user is made where there is none. Raises NotFound (not set up), MalformedRequest
    (PKCE_REQUIRED), InvalidInput (RETURN_URL_NOT_ALLOWED), Conflict (ACCOUNT_TAKEN: the address
    belongs to a user who did not connect the account; CONFLICT: it was disconnected meanwhile),
    NotPermitted (disabled), ProviderRejected, ProviderUnavailable.
    """
    asked = _server(runtime)
    account = _account(runtime, asked, shown)
    passwords.unknowable()  # now, and not while others wait for the account's lock
    with _noting_refusal(runtime, asked.issuer, account), runtime.sessions.begin() as session:
        user_id = _found_or_made(session, asked.issuer, account)
        user = session.get_one(User, user_id, with_for_update={"key_share": True})
        if not user.is_active:
            raise NotPermitted("The account is disabled.")
        if identities.user_of(session, NEXTCLOUD, asked.issuer, account.id) != user_id:
            raise Conflict("The account was disconnected meanwhile. Send a fresh code.")
        return start(session, runtime.settings, tokens, user, Audience.TELEPHONY)


@contextmanager
def _noting_refusal(runtime: Runtime, issuer: str, account: Account) -> Iterator[None]:
    """Whoever proves to have an account there and is not signed in is on record."""
    try:
        yield
    except (Conflict, NotPermitted) as exc:
        with runtime.sessions.begin() as session:
            user_id = identities.user_of(session, NEXTCLOUD, issuer, account.id)
            user = session.get(User, user_id) if user_id else None
            acts.refused(session, account.email or "", user, exc.code.value)
        raise


def prove(runtime: Runtime, user_id: int, shown: Shown) -> None:
    """Let a fresh code prove who a user is, in place of a password.

    Raises NotAuthenticated (INVALID_CREDENTIALS) where its account does not sign them in, and what
    `sign_in` does for a code that is none.
    """
    asked = _server(runtime)
    account = _account(runtime, asked, shown)
    with runtime.sessions.begin() as session:
        known = identities.user_of(session, NEXTCLOUD, asked.issuer, account.id)
    if known != user_id:
        message = "That is not the account that signs you in."
        raise NotAuthenticated(message, code=ErrorCode.INVALID_CREDENTIALS)


def _server(runtime: Runtime) -> AuthorizationServer:
    asked = runtime.providers.nextcloud_sign_in
    if asked is None:
        raise NotFound("Nobody signs in by Nextcloud here.")
    return asked


def _account(runtime: Runtime, asked: AuthorizationServer, shown: Shown) -> Account:
    if not shown.code_verifier:
        message = "Send the `code_verifier` of RFC 7636 that the code was asked for with."
        raise MalformedRequest(message, code=ErrorCode.PKCE_REQUIRED)
    redirect_url = _redirect_url(runtime, shown.redirect_url)
    with turn():
        grant = asked.exchange(shown.code, verifier=shown.code_verifier, redirect_url=redirect_url)
        try:
            return asked.account(grant.access_token)
        finally:
            discard(asked, grant)


def _redirect_url(runtime: Runtime, given: str | None) -> str:
    known = runtime.settings.nextcloud_redirect_urls
    if given is None:
        return known[0]
    if given not in known:
        reason = "Not, letter by letter, one of STELLWERK_NEXTCLOUD_REDIRECT_URLS."
        raise InvalidInput(
            "No code that was sent there is taken.",
            code=ErrorCode.RETURN_URL_NOT_ALLOWED,
            errors=[FieldError("redirect_url", reason)],
        )
    return given


def _found_or_made(session: Session, issuer: str, account: Account) -> int:
    known = identities.user_of(session, NEXTCLOUD, issuer, account.id)
    if known is not None:
        return known
    user_id = _made(session, account)
    acts.registered(session, user_id, is_new=True)
    place = Place(user_id, NEXTCLOUD)
    identities.link(session, place, issuer, account.id, made_account=True)
    return user_id


def _made(session: Session, account: Account) -> int:
    """A new user. Their address counts as not verified; whoever has it is not signed in by it."""
    values = {
        "email": _address(account),
        "username": f"user-{secrets.token_hex(6)}",
        "full_name": account.name[:200],
        "password_hash": passwords.unknowable(),
    }
    made = insert(User).values(**values).on_conflict_do_nothing().returning(User.id)
    user_id = session.scalar(made)
    if user_id is None:
        message = (
            "Somebody here has the account's e-mail address. If that is you, sign in with your "
            "password and connect the account: POST /api/v1/connections/nextcloud."
        )
        raise Conflict(message, code=ErrorCode.ACCOUNT_TAKEN)
    return user_id


def _address(account: Account) -> str:
    """The account's address, or one that nobody has where it has none that is one."""
    try:
        return normalised(account.email or "")
    except InvalidInput:
        return f"{secrets.token_hex(12)}@{NOBODYS_DOMAIN}"
