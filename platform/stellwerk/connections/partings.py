"""Grants that nobody uses any more, on their way to being revoked."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from stellwerk.connections.model import OauthConnection, OauthRevocation
from stellwerk.connections.sealing import opened
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
