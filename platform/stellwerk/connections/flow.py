"""From a wish to connect an account to the provider's answer, by a record that is used once.

The answer comes from a browser, so anybody may send one. It counts only with the state of a
record (which goes with its use), in the browser that holds the record's cookie, from the server
that was asked, and for the user who asked. So nobody's answer ends up in another's account.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record
from stellwerk.clock import new_id
from stellwerk.connections import queries
from stellwerk.connections.model import OauthConnection, OauthState
from stellwerk.connections.queries import Place
from stellwerk.connections.records import noting_refusal, target_of
from stellwerk.connections.servers import callback_url, refuse_access, server, start_url
from stellwerk.errors import (
    ErrorCode,
    FieldError,
    InvalidInput,
    MalformedRequest,
    NotPermitted,
    ProviderRejected,
)
from stellwerk.identity import password_marks
from stellwerk.identity import sessions as ledger
from stellwerk.identity.model import User
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.oauth.protocol import Asked, AuthorizationServer, scopes_for

LIFETIME_S = 600
INVITATION_S = 7 * 86_400
COOKIE_PREFIX = "__Host-stellwerk-oauth-"

_AGAIN = "Begin again: POST /api/v1/connections/{provider}."


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user wants to connect; `access` names what for.

    `session_id`: by which it is asked for.
    """

    place: Place
    session_id: UUID | None
    access: tuple[str, ...] = ()
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, the cookie it has to hold, and a ticket for another browser."""

    authorization_url: str = field(repr=False)
    cookie_name: str
    nonce: str = field(repr=False)
    ticket: str = field(default="", repr=False)
    username: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser brought back; `cookie` reads one of its cookies by name.

    `user_id`: who is signed in there, where that is known.
    """

    provider: str
    state: str = field(repr=False)
    code: str = field(repr=False)
    error: str
    issuer: str
    cookie: Callable[[str], str]
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Secrets:
    state: str
    nonce: str
    verifier: str

    @property
    def cookie_name(self) -> str:
        return cookie_name(digest(self.state))


def begin(runtime: Runtime, wish: Wish) -> Begun:
    """Make a record, while the session that asks stands.

    Raises NotFound (provider), InvalidInput (access, RETURN_URL_NOT_ALLOWED), NotAuthenticated.
    """
    place = wish.place
    asked = server(runtime, place.provider)
    refuse_access(asked, wish.access)
    _refuse_return_url(runtime, wish.return_url)
    made, ticket = _new_secrets(), secrets.token_urlsafe(32)
    with runtime.sessions.begin() as session:
        user = _asking(session, wish)
        held = queries.scopes_held(session, place)
        scopes = tuple(dict.fromkeys((*scopes_for(asked, wish.access), *held)))
        session.add(
            OauthState(
                id=new_id(),
                **asdict(place),
                ticket_hash=digest(ticket),
                scopes=list(scopes),
                return_url=wish.return_url,
                expires_at=_in(LIFETIME_S),
                password_mark=password_marks.mark(runtime.vault, user),
                **_stored(runtime, made),
            )
        )
        target = target_of(place.provider)
        record(session, action=Action.CONNECTION_REQUESTED, actor=place.user_id, target=target)
        url = _url(runtime, place.provider, scopes, made)
        return Begun(url, made.cookie_name, made.nonce, ticket, user.username)


def invitation(runtime: Runtime, session: Session, row: OauthConnection) -> str:
    """A link by which a connection can be made anew, for those who read their mail later."""
    ticket = secrets.token_urlsafe(32)
    session.add(
        OauthState(
            id=new_id(),
            user_id=row.user_id,
            provider=row.provider,
            channel_id=row.channel_id,
            ticket_hash=digest(ticket),
            scopes=row.scopes,
            expires_at=_in(INVITATION_S),
            password_mark=password_marks.mark(runtime.vault, session.get_one(User, row.user_id)),
            **_stored(runtime, _new_secrets()),  # nobody knows them until the link is opened
        )
    )
    return start_url(runtime, row.provider, ticket)


def begin_elsewhere(
    runtime: Runtime, provider: str, ticket: str, user_id: int | None = None
) -> Begun:
    """Go on in the browser that shows a ticket, which is good for once.

    The record gets new secrets: what `begin` gave is worth nothing from now on. `user_id`: who is
    signed in there, where somebody is. Raises NotFound, MalformedRequest (OAUTH_STATE_UNKNOWN),
    NotPermitted (OAUTH_OTHER_USER), which leaves the ticket good.
    """
    server(runtime, provider)
    made = _new_secrets()
    with runtime.sessions.begin() as session:
        found = session.scalar(
            update(OauthState)
            .where(
                OauthState.ticket_hash == digest(ticket),
                OauthState.provider == provider,
                OauthState.expires_at > func.now(),
            )
            .values(ticket_hash=None, expires_at=_in(LIFETIME_S), **_stored(runtime, made))
            .returning(OauthState)
        )
        if found is None:
            raise _unknown("The link was opened before, or is not good any more.")
        if user_id not in (None, found.user_id):
            message = "Another user is signed in here. Sign out, or open the link elsewhere."
            raise NotPermitted(message, code=ErrorCode.OAUTH_OTHER_USER)
        username = session.get_one(User, found.user_id).username
    url = _url(runtime, provider, tuple(found.scopes), made)
    return Begun(url, made.cookie_name, made.nonce, username=username)


def taken(runtime: Runtime, answer: Answer) -> OauthState:
    """The record that an answer belongs to; it is gone, whether the answer is good or not.

    Raises MalformedRequest (OAUTH_STATE_UNKNOWN, _EXPIRED, OAUTH_OTHER_ISSUER), NotPermitted
    (OAUTH_OTHER_BROWSER, OAUTH_OTHER_USER, OAUTH_DENIED), ProviderRejected.
    """
    with runtime.sessions.begin() as session:
        found, is_late = _removed(session, answer)
    with noting_refusal(runtime, found):
        if is_late:
            message = f"It took more than 10 minutes. {_AGAIN}"
            raise MalformedRequest(message, code=ErrorCode.OAUTH_STATE_EXPIRED)
        _refuse_others(found, answer)
        _refuse_other_server(server(runtime, found.provider), answer)
    return found


def digest(secret: str) -> str:
    """What is stored of a random secret."""
    return sha256(secret.encode()).hexdigest()


def cookie_name(state_hash: str) -> str:
    """The cookie of one record, so that two tabs do not take each other's."""
    return f"{COOKIE_PREFIX}{state_hash[:16]}"


def _asking(session: Session, wish: Wish) -> User:
    """Who wants it, with the password that is theirs until the transaction ends."""
    user = session.get_one(User, wish.place.user_id, with_for_update={"read": True})
    ledger.require_standing(session, wish.session_id)
    return user


def _in(seconds: float) -> Any:
    return func.now() + timedelta(seconds=seconds)


def _new_secrets() -> _Secrets:
    return _Secrets(*(secrets.token_urlsafe(48) for _ in range(3)))  # RFC 7636, 4.1: 43 to 128


def _stored(runtime: Runtime, made: _Secrets) -> dict[str, object]:
    return {
        "state_hash": digest(made.state),
        "nonce_hash": digest(made.nonce),
        "sealed": runtime.vault.seal(made.verifier),
    }


def _url(runtime: Runtime, provider: str, scopes: tuple[str, ...], made: _Secrets) -> str:
    asked = Asked(made.state, made.verifier, callback_url(runtime, provider), scopes)
    return server(runtime, provider).authorization_url(asked)


def _refuse_return_url(runtime: Runtime, url: str | None) -> None:
    if url is not None and url not in runtime.settings.oauth_return_urls:
        reason = "Not, letter by letter, one of STELLWERK_OAUTH_RETURN_URLS."
        raise InvalidInput(
            "The browser may not be sent there.",
            code=ErrorCode.RETURN_URL_NOT_ALLOWED,
            errors=[FieldError("return_url", reason)],
        )


def _removed(session: Session, answer: Answer) -> tuple[OauthState, bool]:
    row = session.execute(
        delete(OauthState)
        .where(
            OauthState.state_hash == digest(answer.state), OauthState.provider == answer.provider
        )
        .returning(OauthState, OauthState.expires_at <= func.now())
    ).one_or_none()
    if row is None:
        raise _unknown("The request is not known, or was answered before.")
    found: OauthState = row[0]
    session.expunge(found)
    return found, bool(row[1])


def _refuse_others(found: OauthState, answer: Answer) -> None:
    shown = answer.cookie(cookie_name(found.state_hash))
    if not hmac.compare_digest(digest(shown), found.nonce_hash):
        message = f"The request was begun in another browser. {_AGAIN}"
        raise NotPermitted(message, code=ErrorCode.OAUTH_OTHER_BROWSER)
    if answer.user_id not in (None, found.user_id):
        message = f"The request was begun by another user. {_AGAIN}"
        raise NotPermitted(message, code=ErrorCode.OAUTH_OTHER_USER)


def _refuse_other_server(asked: AuthorizationServer, answer: Answer) -> None:
    if answer.issuer and answer.issuer != asked.issuer:
        message = f"The answer names another server than the one that was asked. {_AGAIN}"
        raise MalformedRequest(message, code=ErrorCode.OAUTH_OTHER_ISSUER)
    if answer.error == "access_denied":
        message = f"{asked.name} was told not to allow it. Nothing was connected."
        raise NotPermitted(message, code=ErrorCode.OAUTH_DENIED)
    if answer.error or not answer.code:
        raise ProviderRejected(f"{asked.name} answered with an error. Nothing was connected.")


def _unknown(message: str) -> MalformedRequest:
    return MalformedRequest(f"{message} {_AGAIN}", code=ErrorCode.OAUTH_STATE_UNKNOWN)
