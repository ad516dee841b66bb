"""Makes the file of everything that is held of a person; what housekeeping does about accounts."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Party
from stellwerk.bootstrap import privacy_domains
from stellwerk.clock import rfc3339, utc_now
from stellwerk.errors import JobFailed
from stellwerk.identity.model import User
from stellwerk.jobs import privacy as jobs
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.queries import API
from stellwerk.privacy import accounts, service
from stellwerk.privacy.model import PrivacyRequest, RequestKind
from stellwerk_workers.handlers import handles

FORMAT = 1  # of the file; raised when its form changes
BATCH = 500

_domains = cache(privacy_domains)


@handles(service.EXPORT)
def export(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Write the file; it can be downloaded for some days."""
    user_id = ctx.owner_id
    if user_id is None:
        raise JobFailed("There is nobody whose data could be exported.")
    with ctx.transaction() as session:
        language = service.begin(session, payload["request_id"]).language
    written = ctx.step("write", partial(_write, ctx, user_id))
    _tell(ctx, user_id, language)
    return written


def _tell(ctx: JobContext, user_id: int, language: str) -> None:
    """By a mail, where its owner proved to read mails there; the job of that is theirs as well."""
    with ctx.runtime.sessions() as session:
        user = session.get_one(User, user_id)
    if user.email_verified_at is None:
        return
    settings = ctx.runtime.settings
    file = f"{settings.base_url()}{API}/jobs/{ctx.job_id}/artifacts/{service.FILE}"
    letter = {
        "to": user.email,
        "template": "privacy_export_ready",
        "variables": {"link": file, "valid_days": min(settings.export_kept_days, 365)},
        "language": language,
    }
    ctx.submit_child("email.send", letter, key="mail")


def _write(ctx: JobContext, user_id: int) -> dict[str, Any]:
    path = ctx.workdir / service.FILE
    with ctx.runtime.sessions() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        rows = _write_file(ctx, session, path, user_id)
    ctx.artifact(service.FILE, path, "application/zip")
    until = utc_now() + timedelta(days=ctx.runtime.settings.export_kept_days)
    return {
        "artifact": service.FILE,
        "size_bytes": path.stat().st_size,
        "rows": rows,
        "available_until": rfc3339(until),
    }


def _write_file(ctx: JobContext, session: Session, path: Path, user_id: int) -> int:
    """One JSON file for each kind of thing that a domain holds, and a list of them."""
    files: dict[str, int] = {}
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        held = (
            (f"{domain.name}/{kind}.json", rows)
            for domain in _domains()
            for kind, rows in domain.export(session, user_id).items()
        )
        for name, rows in held:
            with archive.open(name, "w", force_zip64=True) as file:
                files[name] = _write_rows(ctx, file, rows)
        about = {"format": FORMAT, "made_at": rfc3339(utc_now()), "rows": files}
        archive.writestr("manifest.json", orjson.dumps(about, option=orjson.OPT_INDENT_2))
    return sum(files.values())


def _write_rows(ctx: JobContext, file: IO[bytes], rows: Iterable[Mapping[str, Any]]) -> int:
    number = 0
    file.write(b"[")
    for number, row in enumerate(rows, start=1):
        if number % BATCH == 0:
            ctx.check()
        file.write(b",\n" if number > 1 else b"\n")
        file.write(orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS))
    file.write(b"\n]\n")
    return number


def erase_unused_accounts(ctx: JobContext) -> int:
    """Ask for the erasure of accounts that nobody verified or used; how many."""
    runtime = ctx.runtime
    days = runtime.settings.unverified_account_days
    if not days:
        return 0
    with runtime.sessions() as session:
        found = accounts.unused(session, days, limit=BATCH)
    for user_id in found:
        ctx.check()
        service.request_erasure(runtime, user_id, by=Party.SYSTEM)
    return len(found)


def expire_exports(ctx: JobContext) -> int:
    """Remove the files of exports whose days are over; how many."""
    removed = 0
    for request_id, job_id in _expired(ctx):
        ctx.check()
        if job_id:
            ctx.runtime.providers.artifacts.delete_folder(str(job_id))
        with ctx.transaction() as session:
            request = service.locked(session, request_id)
            request.is_available = False
            if job_id:
                jobs.remove_artifact_rows(session, job_id)
        removed += 1
    return removed


def _expired(ctx: JobContext) -> list[tuple[UUID, UUID | None]]:
    kept = timedelta(days=ctx.runtime.settings.export_kept_days)
    query = select(PrivacyRequest.id, PrivacyRequest.job_id).where(
        PrivacyRequest.kind == RequestKind.EXPORT,
        PrivacyRequest.is_available,
        PrivacyRequest.finished_at < func.now() - kept,
    )
    with ctx.runtime.sessions() as session:
        return [(row.id, row.job_id) for row in session.execute(query.limit(BATCH))]
