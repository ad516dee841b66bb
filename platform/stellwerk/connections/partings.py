"""Grants that nobody uses any more, on their way to being revoked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action, Party
from stellwerk.audit.trail import record
from stellwerk.connections.model import OauthConnection, OauthRevocation
from stellwerk.connections.queries import Place
from stellwerk.connections.records import target_of
from stellwerk.connections.sealing import opened
from stellwerk.connections.service import COPIES, put_aside
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.oauth.protocol import Grant
from stellwerk.vault import Vault


@dataclass(frozen=True, slots=True)
class Parting:
    """A grant to revoke; `is_shared`: another connection goes on with the same account."""

    provider: str
    grant: Grant = field(repr=False)
    is_shared: bool


def parting(session: Session, vault: Vault, revocation_id: UUID) -> Parting | None:
    """What is to be revoked; None where that is over."""
    row = session.get(OauthRevocation, revocation_id)
    if row is None:
        return None
    same = exists().where(
        OauthConnection.provider == row.provider,
        OauthConnection.account_id == row.account_id,
        OauthConnection.sealed.is_not(None),
    )
    return Parting(row.provider, opened(vault, row.sealed), bool(session.scalar(select(same))))


def part_with_all(runtime: Runtime, session: Session, user_id: int) -> int:
    """Remove every connection of somebody who leaves; their grants are put aside. How many."""
    mine = select(OauthConnection).where(OauthConnection.user_id == user_id)
    rows = session.scalars(mine.with_for_update()).all()
    for row in rows:
        if row.sealed is not None:
            put_aside(runtime, session, row, opened(runtime.vault, row.sealed))
        session.delete(row)
        session.flush()
        target = target_of(row.provider)
        action = Action.CONNECTION_REMOVED
        record(session, action=action, actor=Party.SYSTEM, subject_user_id=user_id, target=target)
        runtime.copies.drop(COPIES, Place(user_id, row.provider, row.channel_id).name)
    return len(rows)


def owed(session: Session, user_id: int) -> Sequence[UUID]:
    """What of a user's is still to be revoked."""
    query = select(OauthRevocation.id).where(OauthRevocation.user_id == user_id)
    return session.scalars(query.order_by(OauthRevocation.id)).all()
