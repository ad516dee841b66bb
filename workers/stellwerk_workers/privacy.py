"""Carries out what people ask about themselves: a file of everything, or the erasure of it all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

import orjson
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action, Party
from stellwerk.audit.trail import record
from stellwerk.bootstrap import privacy_domains
from stellwerk.clock import rfc3339, utc_now
from stellwerk.errors import JobFailed, Unavailable
from stellwerk.identity import sessions as ledger
from stellwerk.identity.model import ApiKey, User, UserSession
from stellwerk.jobs import families
from stellwerk.jobs import privacy as jobs
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.interruptions import HandedOver
from stellwerk.privacy import service
from stellwerk.privacy.domains import Domain
from stellwerk.privacy.model import PrivacyRequest, RequestKind, RequestStatus
from stellwerk.privacy.receipts import receipt_of
from stellwerk_workers.handlers import handles

FORMAT = 1  # of the file; raised when its form changes
LOOK_AGAIN_S = 0.5  # between looks whether jobs have ended
BATCH = 500  # jobs

_domains = cache(privacy_domains)


@handles(service.EXPORT)
def export(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Write the file; it can be downloaded for some days."""
    user_id = ctx.owner_id
    if user_id is None:
        raise JobFailed("There is nobody whose data could be exported.")
    with ctx.transaction() as session:
        service.begin(session, payload["request_id"])
    return ctx.step("write", partial(_write, ctx, user_id))


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


@handles(service.ERASE)
def erase(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Every step finds by itself what is left to do, so that any attempt can go on with it."""
    steps = Erasure(ctx, payload["request_id"])
    ctx.step("disable", steps.disable)
    ctx.step("cancel", steps.cancel)
    ctx.step("erase", steps.erase)
    ctx.step("traces", steps.remove_traces)
    ctx.step("account", steps.remove_account)
    return ctx.step("receipt", steps.sign)


@dataclass(frozen=True, slots=True)
class Erasure:
    """The steps. The request's row alone says whose they are, until the account is gone."""

    ctx: JobContext
    request_id: UUID

    def disable(self) -> None:
        """Nobody signs in, nothing is submitted any more."""
        with self.ctx.transaction() as session:
            user_id = service.begin(session, self.request_id).user_id
            if user_id is None:
                return
            user = session.get(User, user_id, with_for_update={"key_share": True})
            if user is not None:
                user.is_active = False
            ledger.end_all_of(session, user_id)
            session_ids, hashes = _credentials(session, user_id)
        standings = self.ctx.runtime.standings
        if not (standings.end(session_ids) and standings.end_keys(hashes)):
            raise _no_redis()

    def cancel(self) -> None:
        """Cancel their jobs; gives its worker back until the last of them has ended."""
        user_id = self._user_id()
        if user_id is None:
            return
        while live := self._live_jobs(user_id):
            self.ctx.check()
            families.cancel_all(self.ctx.runtime, live)
        with self.ctx.runtime.sessions() as session:
            if jobs.has_live_jobs(session, user_id):
                raise HandedOver("waits for jobs to end", LOOK_AGAIN_S)

    def erase(self) -> None:
        """Domain by domain; the account itself is last, and has a step of its own."""
        for number, domain in enumerate(_domains()[:-1]):
            self.ctx.progress(number / len(_domains()), domain.name)
            self._erase(domain)

    def remove_traces(self) -> None:
        """What Redis shows of removed jobs, and their files, whoever stored them."""
        runtime, user_id = self.ctx.runtime, self._user_id()
        while user_id is not None and (gone := self._removed_jobs(user_id)):
            if not runtime.board.forget(gone):
                raise _no_redis()
            files = 0
            for job_id in gone:
                self.ctx.check()
                files += runtime.providers.artifacts.delete_folder(str(job_id))
            with self.ctx.transaction() as session:
                jobs.forget_owner(session, gone)
                self._count(session, "jobs", {"files": files})

    def remove_account(self) -> None:
        """Once more all of it, since requests that were under way may have added something."""
        self.cancel()
        self.erase()
        self.remove_traces()
        try:
            self._erase(_domains()[-1])
        except IntegrityError as exc:
            raise HandedOver("something new was found", LOOK_AGAIN_S) from exc

    def sign(self) -> dict[str, Any]:
        """The receipt, by which the request is complete."""
        with self.ctx.transaction() as session:
            request = service.locked(session, self.request_id)
            now = session.scalars(select(func.clock_timestamp())).one()
            vault, finished_at = self.ctx.runtime.vault, rfc3339(now) or ""
            request.receipt = receipt_of(request, _domains(), vault, finished_at)
            request.status, request.finished_at = RequestStatus.COMPLETED, now
            target = f"privacy_request:{self.request_id}"
            record(session, action=Action.ACCOUNT_ERASED, actor=Party.SYSTEM, target=target)
            erased = sum(sum(kinds.values()) for kinds in request.receipt["erased"].values())
        return {"request_id": str(self.request_id), "erased": erased}

    def _erase(self, domain: Domain) -> None:
        """Batch by batch, each counted in the transaction that removes it."""
        while True:
            self.ctx.check()
            with self.ctx.transaction() as session:
                request = service.locked(session, self.request_id)
                if request.user_id is None:
                    return
                removed = domain.erase(session, request.user_id)
                self._count(session, domain.name, removed)
            if not any(removed.values()):
                return

    def _count(self, session: Session, domain: str, removed: Mapping[str, int]) -> None:
        request = service.locked(session, self.request_id)
        before: Mapping[str, int] = request.counts.get(domain, {})
        kinds = {kind: before.get(kind, 0) + number for kind, number in removed.items()}
        request.counts = {**request.counts, domain: {**before, **kinds}}

    def _user_id(self) -> int | None:
        with self.ctx.runtime.sessions() as session:
            return session.get_one(PrivacyRequest, self.request_id).user_id

    def _live_jobs(self, user_id: int) -> list[UUID]:
        with self.ctx.runtime.sessions() as session:
            return list(jobs.live_jobs(session, user_id, limit=BATCH))

    def _removed_jobs(self, user_id: int) -> list[UUID]:
        with self.ctx.runtime.sessions() as session:
            return list(jobs.removed_jobs(session, user_id, limit=BATCH))


def _credentials(session: Session, user_id: int) -> tuple[list[UUID], list[str]]:
    """Of every session and key that Redis may have a copy of."""
    sessions = select(UserSession.id).where(UserSession.user_id == user_id)
    keys = select(ApiKey.key_hash).where(ApiKey.user_id == user_id)
    return list(session.scalars(sessions)), list(session.scalars(keys))


def _no_redis() -> Unavailable:
    return Unavailable("Redis does not answer; what it holds has to be removed as well.")


def erase_unused_accounts(ctx: JobContext) -> int:
    """Ask for the erasure of accounts that nobody verified or used; how many."""
    runtime = ctx.runtime
    days = runtime.settings.unverified_account_days
    if not days:
        return 0
    with runtime.sessions() as session:
        found = service.unused_accounts(session, days, limit=BATCH)
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
