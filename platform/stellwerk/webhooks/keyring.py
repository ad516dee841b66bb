"""The secrets of endpoints and callbacks: made, replaced, and opened to sign."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record
from stellwerk.identity.model import User
from stellwerk.vault import Vault
from stellwerk.webhooks.model import WebhookSecret
from stellwerk.webhooks.signing import new_secret


@dataclass(frozen=True, slots=True)
class Ring:
    """Whose secrets: an endpoint's, or those of its owner's callbacks where that is None."""

    owner_id: int
    endpoint_id: UUID | None = None

    def holds(self) -> ColumnElement[bool]:
        """The condition on a row of secrets."""
        return and_(
            WebhookSecret.owner_id == self.owner_id,
            WebhookSecret.endpoint_id.is_not_distinct_from(self.endpoint_id),
        )


def replace(session: Session, vault: Vault, ring: Ring, *, overlap_h: float) -> str:
    """A new secret, shown this once; present ones go on to sign along for `overlap_h` hours.

    Those of earlier replacements end now, so that two are valid at the most.
    """
    session.get_one(User, ring.owner_id, with_for_update={"key_share": True})
    present = WebhookSecret.expires_at.is_(None)
    session.execute(
        update(WebhookSecret)
        .where(ring.holds(), ~present, WebhookSecret.expires_at > func.now())
        .values(expires_at=func.now())
    )
    session.execute(
        update(WebhookSecret)
        .where(ring.holds(), present)
        .values(expires_at=func.now() + timedelta(hours=overlap_h))
    )
    secret = new_secret()
    session.add(
        WebhookSecret(
            owner_id=ring.owner_id, endpoint_id=ring.endpoint_id, sealed=vault.seal(secret)
        )
    )
    record(
        session,
        action=Action.WEBHOOK_SECRET_MADE,
        actor=ring.owner_id,
        subject_user_id=ring.owner_id,
        target=f"webhook_endpoint:{ring.endpoint_id}" if ring.endpoint_id else "callbacks",
    )
    session.flush()
    return secret


def valid(session: Session, vault: Vault, ring: Ring) -> list[str]:
    """Every secret that signs now, the present one first."""
    rows = session.scalars(_valid(ring).order_by(WebhookSecret.id.desc()))
    return [vault.open(row.sealed) for row in rows]


def exists(session: Session, ring: Ring) -> bool:
    """Whether a secret was ever made."""
    return session.scalar(select(_valid(ring).exists())) or False


def previous_until(session: Session, ring: Ring) -> datetime | None:
    """Until when a replaced secret signs along; None where none does."""
    newest = select(func.max(WebhookSecret.expires_at))
    found: datetime | None = session.scalar(
        newest.where(ring.holds(), WebhookSecret.expires_at > func.now())
    )
    return found


def _valid(ring: Ring) -> Select[WebhookSecret]:
    is_valid = or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > func.now())
    return select(WebhookSecret).where(ring.holds(), is_valid)
