"""What webhooks hold of a person: receivers, their secrets, and what was sent to them."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from stellwerk.db.personal import held, remove_batch
from stellwerk.webhooks.model import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSecret,
)


def export(session: Session, user_id: int) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """Everything but the secrets themselves."""
    sent = select(WebhookDelivery.id).where(WebhookDelivery.owner_id == user_id)
    mine = WebhookSecret.owner_id == user_id
    return {
        "endpoints": held(session, WebhookEndpoint, WebhookEndpoint.owner_id == user_id),
        "secrets": held(session, WebhookSecret, mine, without=["sealed"]),
        "deliveries": held(session, WebhookDelivery, WebhookDelivery.owner_id == user_id),
        "tries": held(session, WebhookAttempt, WebhookAttempt.delivery_id.in_(sent)),
    }


def erase(session: Session, user_id: int) -> Mapping[str, int]:
    """Remove a batch; endpoints once nothing that was sent to them is left."""
    sent = select(WebhookDelivery.id).where(WebhookDelivery.owner_id == user_id)
    tries = remove_batch(session, WebhookAttempt, WebhookAttempt.delivery_id.in_(sent))
    rest = tries or remove_batch(session, WebhookDelivery, WebhookDelivery.owner_id == user_id)
    counted = {"tries": tries, "deliveries": 0 if tries else rest}
    if rest:
        return counted
    secrets = remove_batch(session, WebhookSecret, WebhookSecret.owner_id == user_id)
    endpoints = remove_batch(session, WebhookEndpoint, WebhookEndpoint.owner_id == user_id)
    return counted | {"secrets": secrets, "endpoints": endpoints}
