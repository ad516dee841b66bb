"""What a new password ends of connections: somebody else may have made them."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from stellwerk.connections import identities
from stellwerk.connections.model import OauthConnection, OauthState
from stellwerk.connections.queries import Place
from stellwerk.connections.service import forget
from stellwerk.jobs.runtime import Runtime, Unit


def secure_connections(runtime: Runtime, work: Unit, user_id: int, *, is_takeover: bool) -> None:
    """Requests that were begun before are over; in a takeover every connection is as well."""
    if not is_takeover:
        _void_requests(work.session, user_id)
        return
    end_ways_in(work.session, user_id)
    held = select(OauthConnection.provider, OauthConnection.channel_id)
    for provider, channel_id in work.session.execute(
        held.where(OauthConnection.user_id == user_id)
    ).all():
        forget(runtime, work, Place(user_id, provider, channel_id))


def end_ways_in(session: Session, user_id: int) -> None:
    """Let no outside account sign the user in, and none that is about to be connected."""
    identities.unlink_all(session, user_id)
    _void_requests(session, user_id)


def _void_requests(session: Session, user_id: int) -> None:
    session.execute(delete(OauthState).where(OauthState.user_id == user_id))
