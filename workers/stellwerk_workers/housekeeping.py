"""Handlers of the platform's own upkeep."""

import time
from typing import Any

from sqlalchemy import CursorResult, text

from stellwerk.audit.sealing import forget_strangers
from stellwerk.connections import upkeep
from stellwerk.jobs import purging
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.purging import Retention
from stellwerk.webhooks import retention
from stellwerk_workers.handlers import handles
from stellwerk_workers.privacy import erase_unused_accounts, expire_exports

PURGES_FOR_S = 120.0  # then the next run goes on

_EXPIRED = {
    "idempotency_keys": text("DELETE FROM idempotency_keys WHERE expires_at < now()"),
    "sessions": text("DELETE FROM user_sessions WHERE expires_at < now() - interval '7 days'"),
    "refresh_tokens": text("DELETE FROM refresh_tokens WHERE expires_at < now()"),
    "mailed_links": text("DELETE FROM mailed_links WHERE expires_at < now()"),
    # A key that was replaced works until it expires; what is not over is listed.
    "api_keys": text("""
        DELETE FROM api_keys WHERE revoked_at < now() - interval '90 days'
            OR (replaced_at IS NOT NULL AND expires_at < now() - interval '90 days')
    """),
    # Receipts of erasures are proof, and stay.
    "privacy_requests": text("""
        DELETE FROM privacy_requests
        WHERE finished_at < now() - interval '365 days' AND receipt IS NULL AND NOT is_available
    """),
    "schedule_fires": text("""
        DELETE FROM schedule_fires
        WHERE created_at < now() - interval '90 days' AND outcome <> 'waiting'
    """),
}


@handles("housekeeping.purge")
def purge(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001  empty
    """Remove what has expired, and jobs that ended long ago with their files."""
    removed = {}
    with ctx.transaction() as session:
        for name, statement in _EXPIRED.items():
            result = session.execute(statement)
            removed[name] = result.rowcount if isinstance(result, CursorResult) else 0
        removed |= retention.purge(session, ctx.runtime.settings)
        removed |= upkeep.purge(session)
        removed["strangers"] = forget_strangers(session, ctx.runtime.settings.strangers_kept_days)
        removed["tombstones"] = purging.forget_tombstones(session, ctx.runtime.settings)
    until = time.monotonic() + PURGES_FOR_S
    removed["jobs"] = sum(
        _purge_jobs(ctx, kept, until) for kept in purging.retentions(ctx.runtime.settings)
    )
    removed["files"] = _remove_files(ctx, until)
    removed["exports"] = expire_exports(ctx)
    removed["unused_accounts"] = erase_unused_accounts(ctx)
    return {"removed": removed}


def _purge_jobs(ctx: JobContext, kept: Retention, until: float) -> int:
    number, last = 0, purging.FIRST
    while time.monotonic() < until:
        ctx.check()
        with ctx.transaction() as session:
            gone = purging.purge(session, kept, last)
        if not gone:
            break
        number, last = number + len(gone), gone[-1]
    return number


def _remove_files(ctx: JobContext, until: float) -> int:
    """Files of jobs that are gone already, in this run or in one that was cut short."""
    number, storage = 0, ctx.runtime.providers.artifacts
    while time.monotonic() < until:
        with ctx.transaction() as session:
            batch = purging.files_to_remove(session)
        if not batch:
            break
        for key in (key for keys in batch.values() for key in keys):
            ctx.check()
            storage.delete(key)
            number += 1
        with ctx.transaction() as session:
            purging.files_removed(session, list(batch))
    return number
