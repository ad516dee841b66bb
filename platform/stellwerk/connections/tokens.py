"""Access tokens for jobs: read from Redis, else from the ledger, renewed by one at a time.

The ledger is the truth and Redis holds a sealed copy for a few minutes. Whoever finds a token
near its end renews it behind an advisory lock, on a connection of its own that is in no
transaction while the provider is called. Others go on with the old token for as long as it is
good, and wait after that.

A provider that rotates refresh tokens (Nextcloud) does so before we know of it. If the process
dies between its answer and our commit, the new tokens are lost and the old ones may be worth
nothing. Nobody can prevent that without the provider's help; so the record of a renewal that was
begun comes first, the outcome is stored for as long as it takes when only Postgres is away, and
where the old refresh token is refused afterwards, the user is told to connect again.
"""

import time
from dataclasses import dataclass, field, replace
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action, Party
from stellwerk.audit.trail import record
from stellwerk.connections.model import ConnectionStatus, OauthConnection
from stellwerk.connections.queries import Place
from stellwerk.connections.records import target_of
from stellwerk.connections.sealing import opened, sealed
from stellwerk.connections.servers import server
from stellwerk.connections.service import COPIES, discard, expiry
from stellwerk.db.engine import may_pass
from stellwerk.errors import Conflict, ErrorCode, GrantRevoked, ProviderError, ProviderUnavailable
from stellwerk.jobs.runtime import Runtime, unit
from stellwerk.jobs.submission import Submission, accept
from stellwerk.providers.oauth.protocol import Grant

TELL_LOST = "connections.tell_lost"
COPY_S = 300.0  # how long a copy may stand in Redis
AFTER_FAILURE_S = 15.0  # the same where the provider did not answer: then it is asked again
STILL_GOOD_S = 5.0  # a token that ends sooner is not used any more
WAIT_S = 20.0  # for somebody else's renewal
POLL_S = 0.1
STORE_TRIES, STORE_PAUSE_S = 60, 1.0
AT_ONCE = 2  # renewals of one process, each with a connection of its own

_turns = BoundedSemaphore(AT_ONCE)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Held:
    """What the ledger has of a connection; `left_s`: until its access token ends."""

    connection_id: UUID
    place: Place
    generation: int
    grant: Grant = field(repr=False)
    left_s: float | None
    was_cut_short: bool  # the last renewal; while it is under way, too

    def fresh_s(self, before_s: float) -> float:
        """For how long the token needs no renewal; below 0: it does."""
        if self.left_s is None:
            return COPY_S
        return self.left_s - min(before_s, (self.grant.expires_in_s or before_s) / 2)

    @property
    def is_good(self) -> bool:
        """Whether the token can still be used."""
        return self.left_s is None or self.left_s > STILL_GOOD_S


def access_token(runtime: Runtime, place: Place) -> str:
    """A token that is good for some time, renewed if need be.

    Raises Conflict (NOT_CONNECTED), GrantRevoked (it has to be connected again), and
    ProviderUnavailable where the provider does not answer and no token is good any more.
    """
    copy = runtime.copies.read(COPIES, place.name)
    if copy is not None:
        return runtime.vault.open(copy)
    until = time.monotonic() + WAIT_S
    while True:
        held = _held(runtime, place)
        fresh_s = held.fresh_s(runtime.settings.oauth_renew_before_s)
        if fresh_s > 0:
            _fill(runtime, held, fresh_s)
            return held.grant.access_token
        renewed = _renewed_if_alone(runtime, place)
        if renewed:
            return renewed
        if held.is_good:
            return held.grant.access_token
        if time.monotonic() > until:
            message = "The access token is being renewed, and that takes too long."
            raise ProviderUnavailable(message, retry_after_s=WAIT_S)
        time.sleep(POLL_S)


def _held(runtime: Runtime, place: Place) -> Held:
    left_s = func.extract("epoch", OauthConnection.expires_at - func.now())
    with runtime.sessions() as session:
        found = session.execute(place.row().add_columns(left_s)).one_or_none()
    if found is None:
        message = f"No account of {place.provider} is connected."
        raise Conflict(message, code=ErrorCode.NOT_CONNECTED)
    row, left = found
    if row.sealed is None:
        raise GrantRevoked(f"The account of {place.provider} has to be connected again.")
    return Held(
        connection_id=row.id,
        place=place,
        generation=row.generation,
        grant=opened(runtime.vault, row.sealed),
        left_s=None if left is None else float(left),
        was_cut_short=row.renewal_began_at is not None,
    )


def _renewed_if_alone(runtime: Runtime, place: Place) -> str | None:
    """The new token; None where somebody else renews it."""
    if not _turns.acquire(blocking=False):
        return None
    try:
        with runtime.direct.alone(f"{COPIES}\x1f{place.name}") as is_alone:
            return _renewed(runtime, place) if is_alone else None
    finally:
        _turns.release()


def _renewed(runtime: Runtime, place: Place) -> str:
    held = _held(runtime, place)  # as it is now that nobody else renews it
    if held.fresh_s(runtime.settings.oauth_renew_before_s) > 0:
        return held.grant.access_token
    if held.grant.refresh_token is None:
        if held.is_good:
            return held.grant.access_token
        _lose(runtime, held)
        raise GrantRevoked(f"{place.provider} gave no refresh token: connect the account again.")
    _begin(runtime, held)
    try:
        grant = server(runtime, place.provider).renew(held.grant.refresh_token)
    except GrantRevoked:
        _lose(runtime, held)
        raise
    except ProviderError as exc:
        return _old_one(runtime, held, exc)
    _keep(runtime, held, grant)
    return grant.access_token


def _old_one(runtime: Runtime, held: Held, exc: ProviderError) -> str:
    """The old token, for as long as it is good, rather than the provider's failure."""
    log.warning("token not renewed", provider=held.place.provider, reason=exc.message)
    if not held.is_good:
        raise exc
    _fill(runtime, held, AFTER_FAILURE_S)
    return held.grant.access_token


def _begin(runtime: Runtime, held: Held) -> None:
    with runtime.sessions.begin() as session:
        _change(session, held, renewal_began_at=func.now())


def _keep(runtime: Runtime, held: Held, grant: Grant) -> None:
    """Store what the provider answered, however long Postgres is away: it answers only once."""
    whole = replace(
        grant,
        refresh_token=grant.refresh_token or held.grant.refresh_token,
        scopes=grant.scopes or held.grant.scopes,
    )
    for _ in range(STORE_TRIES):
        try:
            is_kept = _store(runtime, held, whole)
        except SQLAlchemyError as exc:
            if not may_pass(exc):
                raise
            time.sleep(STORE_PAUSE_S)
            continue
        if not is_kept:  # forgotten or connected anew meanwhile
            discard(server(runtime, held.place.provider), whole)
        return
    _store(runtime, held, whole)


def _store(runtime: Runtime, held: Held, grant: Grant) -> bool:
    """Whether the connection was still the one that was read, and holds the grant now."""
    fresh = replace(held, grant=grant, left_s=grant.expires_in_s)
    values = {
        "sealed": sealed(runtime.vault, grant),
        "scopes": list(grant.scopes),
        "expires_at": expiry(grant),
        "last_refreshed_at": func.now(),
        "renewal_began_at": None,
    }
    with runtime.sessions.begin() as session:
        is_kept = _change(session, held, **values)
        if is_kept:  # while the row is locked: what is forgotten after this drops the copy again
            _put(runtime, fresh, fresh.fresh_s(runtime.settings.oauth_renew_before_s))
    return is_kept


def _change(session: Session, held: Held, **values: Any) -> bool:
    changed = session.execute(
        update(OauthConnection)
        .where(
            OauthConnection.id == held.connection_id,
            OauthConnection.generation == held.generation,
        )
        .values(**values)
        .returning(OauthConnection.id)
    )
    return changed.first() is not None


def _lose(runtime: Runtime, held: Held) -> None:
    """The grant is over: note it, and tell its user, in one transaction."""
    with unit(runtime) as work:
        row = work.session.scalar(
            select(OauthConnection)
            .where(
                OauthConnection.id == held.connection_id,
                OauthConnection.generation == held.generation,
            )
            .with_for_update()
        )
        if row is None or row.sealed is None:
            return
        row.status = ConnectionStatus.NEEDS_RECONNECT.value
        row.sealed = row.expires_at = row.renewal_began_at = None
        runtime.copies.drop(COPIES, held.place.name)
        record(
            work.session,
            action=Action.CONNECTION_LOST,
            actor=Party.SYSTEM,
            subject_user_id=row.user_id,
            target=target_of(row.provider),
        )
        payload = {"connection_id": str(row.id), "was_cut_short": held.was_cut_short}
        accept(runtime, work, Submission(TELL_LOST, payload, row.user_id), payload)


def _fill(runtime: Runtime, held: Held, for_s: float) -> None:
    """Put a copy where nothing is."""
    value = runtime.vault.seal(held.grant.access_token)
    runtime.copies.fill(COPIES, held.place.name, value, ttl_s=min(for_s, COPY_S))


def _put(runtime: Runtime, held: Held, for_s: float) -> None:
    """Put a copy in place of another."""
    value = runtime.vault.seal(held.grant.access_token)
    runtime.copies.put(COPIES, held.place.name, value, ttl_s=min(for_s, COPY_S))
