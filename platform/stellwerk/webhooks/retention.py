"""What is forgotten about webhooks."""

from datetime import timedelta

from sqlalchemy.orm import Session

from stellwerk.clock import lowest_id_since, utc_now
from stellwerk.db.expiry import removal, remove
from stellwerk.settings import Settings

_DELIVERIES = removal("webhook_deliveries", "id < :before AND status <> 'pending'")
_SECRETS = removal("webhook_secrets", "expires_at < now()")


def forget_deliveries(session: Session, settings: Settings) -> int:
    """Remove a batch of old deliveries with their tries; how many."""
    before = lowest_id_since(utc_now() - timedelta(days=settings.webhook_log_days))
    return remove(session, _DELIVERIES, before=before)


def forget_secrets(session: Session) -> int:
    """Remove a batch of secrets that were replaced; how many."""
    return remove(session, _SECRETS)
