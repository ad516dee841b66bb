"""Reads of endpoints and of what was sent to them, always of one owner."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from stellwerk.errors import NotFound
from stellwerk.identity.model import User
from stellwerk.webhooks.model import DeliveryStatus, WebhookDelivery, WebhookEndpoint

ATTEMPTS_SHOWN = 20

_ATTEMPTS = text("""
    SELECT a.delivery_id, a.at, a.status_code, a.duration_ms, a.error
    FROM unnest(CAST(:ids AS uuid[])) AS d (id) CROSS JOIN LATERAL (
        SELECT * FROM webhook_attempts WHERE delivery_id = d.id ORDER BY id DESC LIMIT :limit) a
    ORDER BY a.id
""")


@dataclass(frozen=True, slots=True)
class Receiver:
    """Whose deliveries: an endpoint's, or those to callback URLs where that is None."""

    owner_id: int
    endpoint_id: UUID | None


def endpoints(
    session: Session, owner_id: int, *, after: UUID | None, limit: int
) -> Sequence[WebhookEndpoint]:
    """The owner's endpoints, newest first."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.owner_id == owner_id)
    if after:
        query = query.where(WebhookEndpoint.id < after)
    return session.scalars(query.order_by(WebhookEndpoint.id.desc()).limit(limit)).all()


def own_endpoint(session: Session, owner_id: int, endpoint_id: UUID) -> WebhookEndpoint:
    """One of the owner's endpoints; raises NotFound."""
    return _of_owner(session.get(WebhookEndpoint, endpoint_id), owner_id, endpoint_id)


def held_endpoint(session: Session, owner_id: int, endpoint_id: UUID) -> WebhookEndpoint:
    """The same for a change: behind its owner's lock, so that it is not deleted meanwhile."""
    session.get_one(User, owner_id, with_for_update={"key_share": True})
    endpoint = session.get(WebhookEndpoint, endpoint_id, populate_existing=True)
    return _of_owner(endpoint, owner_id, endpoint_id)


def held_delivery(session: Session, receiver: Receiver, delivery_id: UUID) -> WebhookDelivery:
    """One of a receiver's deliveries, locked; raises NotFound."""
    if receiver.endpoint_id:
        held_endpoint(session, receiver.owner_id, receiver.endpoint_id)
    found = session.get(WebhookDelivery, delivery_id, with_for_update=True)
    return _of_receiver(found, receiver, delivery_id)


def deliveries(
    session: Session, receiver: Receiver, *, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """A receiver's deliveries, newest first, each with its newest tries."""
    query = (
        select(WebhookDelivery, WebhookEndpoint.url)
        .outerjoin(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
        .where(
            WebhookDelivery.owner_id == receiver.owner_id,
            WebhookDelivery.endpoint_id.is_not_distinct_from(receiver.endpoint_id),
        )
    )
    if after:
        query = query.where(WebhookDelivery.id < after)
    rows = session.execute(query.order_by(WebhookDelivery.id.desc()).limit(limit)).all()
    attempts = _attempts(session, [row.id for row, _ in rows])
    return [_shown(row, row.callback_url or url, attempts[row.id]) for row, url in rows]


def delivery(session: Session, receiver: Receiver, delivery_id: UUID) -> dict[str, Any]:
    """One of a receiver's deliveries as its owner sees it; raises NotFound."""
    found = _of_receiver(session.get(WebhookDelivery, delivery_id), receiver, delivery_id)
    endpoint = session.get(WebhookEndpoint, found.endpoint_id) if found.endpoint_id else None
    url = endpoint.url if endpoint else found.callback_url
    return _shown(found, url, _attempts(session, [found.id])[found.id])


def _of_owner(found: WebhookEndpoint | None, owner_id: int, endpoint_id: UUID) -> WebhookEndpoint:
    if found is None or found.owner_id != owner_id:
        raise NotFound(f"You have no webhook endpoint {endpoint_id}.")
    return found


def _of_receiver(
    found: WebhookDelivery | None, receiver: Receiver, delivery_id: UUID
) -> WebhookDelivery:
    if found is None or receiver != Receiver(found.owner_id, found.endpoint_id):
        raise NotFound(f"There is no delivery {delivery_id} there.")
    return found


def _attempts(session: Session, ids: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    values = {"ids": ids, "limit": ATTEMPTS_SHOWN}
    for row in session.execute(_ATTEMPTS, values).mappings():
        found[row["delivery_id"]].append(dict(row))
    return found


def _shown(row: WebhookDelivery, url: str | None, attempts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": row.id,
        "webhook_id": row.message_id,
        "event_type": row.event_type,
        "url": url,
        "status": DeliveryStatus(row.status),
        "about_job_id": row.about_job_id,
        "job_id": row.job_id,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
        "attempts": attempts,
    }
