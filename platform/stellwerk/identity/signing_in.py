"""Starting sessions and renewing them."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.choices import Mode
from stellwerk.clock import utc_now
from stellwerk.errors import ErrorCode, NotAuthenticated, NotPermitted
from stellwerk.identity import acts, passwords, refresh_tokens
from stellwerk.identity import sessions as ledger
from stellwerk.identity.model import User
from stellwerk.identity.permissions import Audience
from stellwerk.identity.service import by_email
from stellwerk.identity.tokens import Tokens
from stellwerk.jobs.runtime import Runtime
from stellwerk.settings import Settings


@dataclass(frozen=True, slots=True)
class SignIn:
    """A session's tokens, and for how long the access token is good, in seconds."""

    user: User
    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a refresh token led to: a renewed session, or one that ended because two had it."""

    renewed: SignIn | None = None
    ended: UUID | None = None


def login(
    runtime: Runtime, tokens: Tokens, *, email: str, password: str, audience: Audience
) -> SignIn:
    """Start a session; raises NotAuthenticated (INVALID_CREDENTIALS), NotPermitted (unverified).

    Takes as long for an unknown address as for a wrong password. No connection is held while
    the password is compared.
    """
    with runtime.sessions() as session:
        known = by_email(session, email)
    right = passwords.is_right(password, known.password_hash if known else None)
    if not right or known is None or not known.is_active:
        why = "wrong password" if known and not right else "disabled" if known else "unknown"
        _note_refusal(runtime, email, known, why)
        raise wrong_credentials()
    if known.email_verified_at is None and not unverified_may_sign_in(runtime.settings):
        _note_refusal(runtime, email, known, "unverified")
        raise NotPermitted("The e-mail address was not verified yet.")
    with runtime.sessions.begin() as session:
        user = session.get_one(User, known.id, with_for_update={"key_share": True})
        if user.password_hash != known.password_hash or not user.is_active:
            raise wrong_credentials()  # it was changed while it was compared
        return start(session, runtime.settings, tokens, user, audience)


def start(
    session: Session,
    settings: Settings,
    tokens: Tokens,
    user: User,
    audience: Audience = Audience.API,
) -> SignIn:
    """A new session of somebody who has proved to be that user."""
    expires_at = utc_now() + timedelta(seconds=settings.refresh_token_ttl_s)
    session_id = ledger.start(session, user.id, expires_at, audience)
    refresh_token = refresh_tokens.first(session, session_id, expires_at)
    acts.of_session(session, Action.SESSION_STARTED, user.id, session_id)
    return _signed(settings, tokens, user, session_id, audience, refresh_token)


def renew(runtime: Runtime, tokens: Tokens, refresh_token: str) -> Renewal:
    """A fresh access token and the next refresh token of the same session."""
    with runtime.sessions.begin() as session:
        found = refresh_tokens.rotate(session, runtime.vault, runtime.settings, refresh_token)
        if found is None:
            return Renewal()
        family = found.family
        if found.successor is None:
            reused = Action.SESSION_REFRESH_REUSED
            acts.of_session(session, reused, family.user_id, family.id, by_owner=False)
            return Renewal(ended=family.id)
        user = session.get_one(User, family.user_id)
        audience = Audience(family.audience)
    signed = _signed(runtime.settings, tokens, user, family.id, audience, found.successor)
    return Renewal(signed)


def _note_refusal(runtime: Runtime, email: str, known: User | None, why: str) -> None:
    with runtime.sessions.begin() as session:
        acts.refused(session, email, known, why)


def wrong_credentials() -> NotAuthenticated:
    """The refusal that tells nobody which of the two was wrong."""
    message = "The e-mail address or the password is wrong."
    return NotAuthenticated(message, code=ErrorCode.INVALID_CREDENTIALS)


def unverified_may_sign_in(settings: Settings) -> bool:
    """Whether an address that nobody verified is good enough."""
    allowed = settings.allow_unverified_login
    return settings.mode is Mode.DEVELOPMENT if allowed is None else allowed


def _signed(
    settings: Settings,
    tokens: Tokens,
    user: User,
    session_id: UUID,
    audience: Audience,
    refresh_token: str,
) -> SignIn:
    is_short = audience is Audience.TELEPHONY
    ttl_s = settings.telephony_token_ttl_s if is_short else settings.access_token_ttl_s
    expires_at = utc_now() + timedelta(seconds=ttl_s)
    access_token = tokens.sign(user.id, session_id, expires_at, audience)
    return SignIn(user, access_token, refresh_token, ttl_s)
