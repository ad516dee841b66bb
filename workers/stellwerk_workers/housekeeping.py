"""Handlers of the platform's own upkeep."""

from typing import Any

from sqlalchemy import CursorResult, text

from stellwerk.jobs.context import JobContext
from stellwerk.webhooks import retention
from stellwerk_workers.handlers import handles

_EXPIRED = {
    "idempotency_keys": text("DELETE FROM idempotency_keys WHERE expires_at < now()"),
    "sessions": text("DELETE FROM user_sessions WHERE expires_at < now() - interval '7 days'"),
    "schedule_fires": text("""
        DELETE FROM schedule_fires
        WHERE created_at < now() - interval '90 days' AND outcome <> 'waiting'
    """),
}


@handles("housekeeping.purge")
def purge(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001  empty
    """Remove what has expired."""
    removed = {}
    with ctx.transaction() as session:
        for name, statement in _EXPIRED.items():
            result = session.execute(statement)
            removed[name] = result.rowcount if isinstance(result, CursorResult) else 0
        removed |= retention.purge(session, ctx.runtime.settings)
    return {"removed": removed}
