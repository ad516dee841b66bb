"""What a new password ends of webhooks."""

from sqlalchemy import select

from stellwerk.jobs.runtime import Runtime, Unit
from stellwerk.webhooks.model import WebhookEndpoint
from stellwerk.webhooks.service import delete


def secure_endpoints(runtime: Runtime, work: Unit, user_id: int, *, is_takeover: bool) -> None:
    """In a takeover nobody who had the account before is told of its jobs any more."""
    del runtime
    if not is_takeover:
        return
    held = select(WebhookEndpoint).where(WebhookEndpoint.owner_id == user_id)
    for endpoint in work.session.scalars(held.order_by(WebhookEndpoint.id)).all():
        delete(work.session, endpoint)
