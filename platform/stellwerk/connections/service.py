"""Connections come and go: an account is connected, connected anew, forgotten."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record
from stellwerk.clock import new_id
from stellwerk.connections import identities, queries
from stellwerk.connections.model import (
    ConnectionStatus,
    OauthConnection,
    OauthRevocation,
    OauthState,
)
from stellwerk.connections.queries import Place
from stellwerk.connections.records import noting_refusal, target_of
from stellwerk.connections.sealing import opened, sealed
from stellwerk.connections.servers import callback_url, server, turn
from stellwerk.errors import (
    ErrorCode,
    MalformedRequest,
    NotPermitted,
    ProviderError,
    StellwerkError,
)
from stellwerk.identity import password_marks
from stellwerk.identity.model import User
from stellwerk.jobs.runtime import Runtime, Unit, unit
from stellwerk.jobs.submission import Submission, accept
from stellwerk.providers.oauth.protocol import Account, AuthorizationServer, Grant

REVOKE = "connections.revoke"
COPIES = "oauth-token"  # kind of copy in Redis


@dataclass(frozen=True, slots=True)
class Granted:
    """What a provider said yes to, and whose account it is."""

    grant: Grant
    account: Account


def connect(runtime: Runtime, began: OauthState, code: str) -> OauthConnection:
    """Turn a code into a connection.

    Raises ProviderRejected, ProviderUnavailable, Unavailable, NotPermitted (the user was
    disabled), MalformedRequest (OAUTH_STATE_UNKNOWN: has another password), Conflict
    (ACCOUNT_TAKEN).
    """
    place = Place(began.user_id, began.provider, began.channel_id)
    with noting_refusal(runtime, began):
        granted = exchanged(
            runtime,
            place.provider,
            code,
            verifier=runtime.vault.open(began.sealed),
            redirect_url=callback_url(runtime, place.provider),
        )
        if not granted.grant.scopes:  # RFC 6749, 5.1: then they are those that were asked for
            grant = replace(granted.grant, scopes=tuple(began.scopes))
            granted = Granted(grant, granted.account)
        return _kept_or_discarded(runtime, place, granted, began.password_mark)


def exchanged(
    runtime: Runtime, provider: str, code: str, *, verifier: str, redirect_url: str
) -> Granted:
    """What a code stands for; no connection to Postgres is held meanwhile."""
    asked = server(runtime, provider)
    with turn():
        grant = asked.exchange(code, verifier=verifier, redirect_url=redirect_url)
        return Granted(grant, asked.account(grant.access_token))


def keep(
    runtime: Runtime, work: Unit, place: Place, granted: Granted, password_mark: str
) -> OauthConnection:
    """Store a grant in place of what is there; raises as `connect` does.

    `password_mark`: of the password with which it was asked for.
    """
    session = work.session
    _hold(runtime, session, place.user_id, password_mark)
    asked = server(runtime, place.provider)
    if identities.signs_in(place):
        identities.link(session, place, asked.issuer, granted.account.id)
    row = session.scalar(place.row().with_for_update())
    grant = _whole(runtime, row, granted)
    if row is None:
        row = OauthConnection(id=new_id(), user_id=place.user_id, provider=place.provider)
        row.channel_id, row.generation = place.channel_id, 1
        session.add(row)
    else:
        _replace(runtime, work, row, granted.account)
    _fill(runtime, row, granted.account, grant)
    session.flush()
    session.refresh(row)
    _note(session, Action.CONNECTION_OPENED, place)
    runtime.copies.drop(COPIES, place.name)  # before others may read the row, see tokens.py
    return row


def _hold(runtime: Runtime, session: Session, user_id: int, password_mark: str) -> None:
    """Lock a user who may have an account connected; raises NotPermitted, MalformedRequest."""
    user = session.get_one(
        User, user_id, with_for_update={"key_share": True}, populate_existing=True
    )
    if not user.is_active:
        raise NotPermitted("The account is disabled.")
    if not password_marks.is_of(runtime.vault, user, password_mark):
        message = (
            "The password was changed meanwhile. Begin again: POST /api/v1/connections/{provider}."
        )
        raise MalformedRequest(message, code=ErrorCode.OAUTH_STATE_UNKNOWN)


def _kept_or_discarded(
    runtime: Runtime, place: Place, granted: Granted, password_mark: str
) -> OauthConnection:
    try:
        with unit(runtime) as work:
            return keep(runtime, work, place, granted, password_mark)
    except StellwerkError:
        discard(server(runtime, place.provider), granted.grant)
        raise


def forget(runtime: Runtime, work: Unit, place: Place) -> None:
    """Remove a connection and have it revoked; raises NotFound."""
    session = work.session
    session.get_one(User, place.user_id, with_for_update={"key_share": True})
    queries.connection(session, place)
    row = session.scalars(place.row().with_for_update()).one()
    if row.sealed is not None:
        part(runtime, work, row, opened(runtime.vault, row.sealed))
    if identities.signs_in(place):
        identities.unlink(session, place)
    session.delete(row)
    session.flush()
    _note(session, Action.CONNECTION_REMOVED, place)
    runtime.copies.drop(COPIES, place.name)


def forget_channel(runtime: Runtime, work: Unit, user_id: int, channel_id: int) -> None:
    """The same for all that a channel has, if anything: it is being deleted."""
    held = select(OauthConnection.provider).where(
        OauthConnection.user_id == user_id, OauthConnection.channel_id == channel_id
    )
    for provider in work.session.scalars(held).all():
        forget(runtime, work, Place(user_id, provider, channel_id))


def part(runtime: Runtime, work: Unit, row: OauthConnection, grant: Grant) -> None:
    """Put a grant aside that nobody uses any more, and a job that tells the provider so.

    The job is the system's: it has to be done whatever becomes of the user.
    """
    payload = {"revocation_id": str(put_aside(runtime, work.session, row, grant))}
    accept(runtime, work, Submission(REVOKE, payload, owner_id=None), payload)


def put_aside(runtime: Runtime, session: Session, row: OauthConnection, grant: Grant) -> UUID:
    """Keep a grant until its provider was told that it is over; returns the id of its record."""
    parting = OauthRevocation(
        id=new_id(),
        user_id=row.user_id,
        provider=row.provider,
        account_id=row.account_id,
        sealed=sealed(runtime.vault, grant),
    )
    session.add(parting)
    session.flush()
    return parting.id


def discard(asked: AuthorizationServer, grant: Grant) -> None:
    """End a grant at once that was not kept, as well as can be."""
    if not asked.revokes_whole_account:
        with suppress(ProviderError):
            asked.revoke(grant)


def expiry(grant: Grant) -> ColumnElement[datetime] | None:
    """When an access token ends, by Postgres's clock."""
    if grant.expires_in_s is None:
        return None
    return func.now() + timedelta(seconds=grant.expires_in_s)


def _note(session: Session, action: Action, place: Place) -> None:
    record(
        session,
        action=action,
        actor=place.user_id,
        subject_user_id=place.user_id,
        target=target_of(place.provider),
        details={"channel_id": place.channel_id} if place.channel_id else {},
    )


def _whole(runtime: Runtime, row: OauthConnection | None, granted: Granted) -> Grant:
    """The grant with the refresh token of the one before, where it came without."""
    grant = granted.grant
    if row is None or row.sealed is None or row.account_id != granted.account.id:
        return grant
    return replace(
        grant, refresh_token=grant.refresh_token or opened(runtime.vault, row.sealed).refresh_token
    )


def _replace(runtime: Runtime, work: Unit, row: OauthConnection, account: Account) -> None:
    row.generation += 1
    asked = server(runtime, row.provider)
    goes_on = asked.revokes_whole_account and row.account_id == account.id
    if row.sealed is not None and not goes_on:
        part(runtime, work, row, opened(runtime.vault, row.sealed))


def _fill(runtime: Runtime, row: OauthConnection, account: Account, grant: Grant) -> None:
    row.account_id, row.account_email = account.id, account.email
    row.scopes = list(grant.scopes)
    row.status = ConnectionStatus.ACTIVE.value
    row.sealed = sealed(runtime.vault, grant)
    row.expires_at = expiry(grant)
    row.renewal_began_at = row.last_refreshed_at = None
    row.connected_at = func.now()
