"""Reads of connections, always of one user."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from stellwerk.connections.model import OauthConnection
from stellwerk.errors import NotFound


@dataclass(frozen=True, slots=True)
class Place:
    """Where a connection belongs: a user's own at a provider, or that of a channel of theirs."""

    user_id: int
    provider: str
    channel_id: int | None = None

    @property
    def name(self) -> str:
        """What its copy and its lock are called."""
        return f"{self.user_id}:{self.provider}:{self.channel_id or '-'}"

    def row(self) -> Select[OauthConnection]:
        """The query of the connection."""
        return select(OauthConnection).where(
            OauthConnection.user_id == self.user_id,
            OauthConnection.provider == self.provider,
            OauthConnection.channel_id.is_not_distinct_from(self.channel_id),
        )


def connections(
    session: Session, user_id: int, *, after: UUID | None, limit: int
) -> Sequence[OauthConnection]:
    """The user's connections, those of channels too, newest first."""
    query = select(OauthConnection).where(OauthConnection.user_id == user_id)
    if after:
        query = query.where(OauthConnection.id < after)
    return session.scalars(query.order_by(OauthConnection.id.desc()).limit(limit)).all()


def connection(session: Session, place: Place) -> OauthConnection:
    """One of them; raises NotFound."""
    found = session.scalar(place.row())
    if found is None:
        raise NotFound("There is no such connection.")
    return found


def scopes_held(session: Session, place: Place) -> Sequence[str]:
    """What was granted already: asked for again, or the new grant would be without it."""
    found = session.scalar(place.row())
    return found.scopes if found else ()
