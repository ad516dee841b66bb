"""Handlers of the platform's own upkeep."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from stellwerk.audit.sealing import forget_strangers
from stellwerk.calls.privacy import forget_old as forget_old_calls
from stellwerk.connections import upkeep
from stellwerk.db.engine import is_outage
from stellwerk.db.expiry import removal, remove
from stellwerk.errors import StellwerkError
from stellwerk.jobs import purging
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.purging import Retention
from stellwerk.settings import Settings
from stellwerk.webhooks import retention
from stellwerk_workers import recordings
from stellwerk_workers.handlers import handles
from stellwerk_workers.privacy import erase_unused_accounts, expire_exports

log = structlog.get_logger()

PURGES_FOR_S = 60.0  # each kind; then the next run goes on

Remove = Callable[[Session, Settings], int]  # a batch; how many rows went


def _expired(table: str, condition: str = "expires_at < now()") -> Remove:
    statement = removal(table, condition)
    return lambda session, _: remove(session, statement)


_EXPIRED: Mapping[str, Remove] = {
    "idempotency_keys": _expired("idempotency_keys"),
    "sessions": _expired("user_sessions", "expires_at < now() - interval '7 days'"),
    "refresh_tokens": _expired("refresh_tokens"),
    "mailed_links": _expired("mailed_links"),
    # A key that was replaced works until it expires; what is not over is listed.
    "api_keys": _expired(
        "api_keys",
        "revoked_at < now() - interval '90 days'"
        " OR (replaced_at IS NOT NULL AND expires_at < now() - interval '90 days')",
    ),
    # Receipts of erasures are proof, and stay.
    "privacy_requests": _expired(
        "privacy_requests",
        "finished_at < now() - interval '365 days' AND receipt IS NULL AND NOT is_available",
    ),
    "schedule_fires": _expired(
        "schedule_fires", "created_at < now() - interval '90 days' AND outcome <> 'waiting'"
    ),
    "webhook_deliveries": retention.forget_deliveries,
    "webhook_secrets": lambda session, _: retention.forget_secrets(session),
    "oauth_states": lambda session, _: upkeep.forget_states(session),
    "numbers_of_calls": forget_old_calls,
    "strangers": lambda session, settings: forget_strangers(session, settings.strangers_kept_days),
    "tombstones": purging.forget_tombstones,
}


@handles("housekeeping.purge")
def purge(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001  empty
    """Remove what has expired, and jobs that ended long ago with their files.

    A kind that cannot be removed keeps none of the others: its error is raised at the end.
    """
    kinds: dict[str, Callable[[], int]] = {
        name: partial(_in_batches, ctx, kind) for name, kind in _EXPIRED.items()
    }
    kinds |= {
        "jobs": partial(_purge_jobs, ctx),
        "files": partial(_remove_files, ctx),
        "exports": partial(expire_exports, ctx),
        "recordings": partial(recordings.purge, ctx),
        "unused_accounts": partial(erase_unused_accounts, ctx),
    }
    removed, errors = {}, []
    for name, kind in kinds.items():
        try:
            removed[name] = kind()
        except (SQLAlchemyError, StellwerkError) as exc:
            if is_outage(exc):
                raise
            log.warning("not removed", kind=name, reason=str(exc).splitlines()[0])
            errors.append(exc)
    for error in errors:
        raise error
    return {"removed": removed}


def _in_batches(ctx: JobContext, kind: Remove) -> int:
    number, until = 0, time.monotonic() + PURGES_FOR_S
    while time.monotonic() < until:
        ctx.check()
        with ctx.transaction() as session:
            gone = kind(session, ctx.runtime.settings)
        if not gone:
            break
        number += gone
    return number


def _purge_jobs(ctx: JobContext) -> int:
    return sum(_purge_kept(ctx, kept) for kept in purging.retentions(ctx.runtime.settings))


def _purge_kept(ctx: JobContext, kept: Retention) -> int:
    number, last, until = 0, purging.FIRST, time.monotonic() + PURGES_FOR_S
    while time.monotonic() < until:
        ctx.check()
        with ctx.transaction() as session:
            gone = purging.purge(session, kept, last)
        if not gone:
            break
        number, last = number + len(gone), gone[-1]
    return number


def _remove_files(ctx: JobContext) -> int:
    """Files of jobs that are gone already, in this run or in one that was cut short."""
    number, until = 0, time.monotonic() + PURGES_FOR_S
    while time.monotonic() < until:
        with ctx.runtime.sessions() as session:
            batch = purging.with_files(session)
        if not batch:
            break
        number += _remove_folders(ctx, batch, until)
    return number


def _remove_folders(ctx: JobContext, jobs: Sequence[UUID], until: float) -> int:
    """All that any attempt left, as far as there is time."""
    number, done = 0, []
    for job_id in jobs:
        if time.monotonic() > until:
            break
        ctx.check()
        number += ctx.runtime.providers.artifacts.delete_folder(str(job_id))
        done.append(job_id)
    with ctx.transaction() as session:
        purging.files_removed(session, done)
    return number
