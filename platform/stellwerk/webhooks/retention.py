"""What is forgotten about webhooks."""

from datetime import timedelta

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

from stellwerk.clock import lowest_id_since, utc_now
from stellwerk.settings import Settings

AT_ONCE = 10_000  # rows; the next run removes more

_DELIVERIES = text("""
    DELETE FROM webhook_deliveries WHERE id IN (
        SELECT id FROM webhook_deliveries WHERE id < :before AND status <> 'pending'
        ORDER BY id LIMIT :limit)
""")
_SECRETS = text("DELETE FROM webhook_secrets WHERE expires_at < now()")


def purge(session: Session, settings: Settings) -> dict[str, int]:
    """Remove old deliveries with their tries, and secrets that were replaced; how many of each."""
    before = lowest_id_since(utc_now() - timedelta(days=settings.webhook_log_days))
    removed = session.execute(_DELIVERIES, {"before": before, "limit": AT_ONCE})
    expired = session.execute(_SECRETS)
    return {"webhook_deliveries": _count(removed), "webhook_secrets": _count(expired)}


def _count(result: object) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0
