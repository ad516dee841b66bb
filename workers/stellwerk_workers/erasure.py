"""Carries out an erasure: nothing of a person is left, and they are told so at the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action, Party
from stellwerk.audit.trail import record
from stellwerk.bootstrap import privacy_domains
from stellwerk.clock import rfc3339, utc_now
from stellwerk.connections import partings
from stellwerk.connections.operations import REVOCATION
from stellwerk.errors import Unavailable
from stellwerk.identity import about
from stellwerk.identity import sessions as ledger
from stellwerk.identity.model import ApiKey, User, UserSession
from stellwerk.jobs import families
from stellwerk.jobs import privacy as jobs
from stellwerk.jobs.children import ChildFailure, ChildJob
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.interruptions import HandedOver
from stellwerk.privacy import service
from stellwerk.privacy.accounts import refuse_last_admin
from stellwerk.privacy.domains import Domain
from stellwerk.privacy.model import PrivacyRequest, RequestStatus
from stellwerk.privacy.receipts import receipt_of
from stellwerk_workers import recordings
from stellwerk_workers.farewells import say_farewell
from stellwerk_workers.handlers import handles

LOOK_AGAIN_S = 0.5  # between looks whether jobs have ended
RECORDINGS_TRIED_FOR = timedelta(minutes=10)  # housekeeping goes on with it
TRY_AGAIN_S = 15.0
BATCH = 500  # jobs

_domains = cache(privacy_domains)


@handles(service.ERASE)
def erase(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Every step finds by itself what is left to do, so that any attempt can go on with it."""
    steps = Erasure(ctx, payload["request_id"])
    ctx.step("disable", steps.disable)
    ctx.step("cancel", steps.cancel)
    revoked = ctx.step("revoke", steps.revoke)
    ctx.step("erase", steps.erase)
    ctx.step("traces", steps.remove_traces)
    gone_at = ctx.step("account", steps.remove_account)
    ended_at = datetime.fromisoformat(gone_at)
    ctx.step("recordings", lambda: steps.remove_recordings(ended_at))
    ctx.step("letter", lambda: steps.tell(ended_at))
    return ctx.step("receipt", lambda: steps.sign(revoked))


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
            if user is not None and user.is_active:
                refuse_last_admin(session, user_id)
            if user is not None:
                user.is_active = False
                service.keep_address(session, self.request_id, user)
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
        with self.ctx.transaction() as session:
            whom = about.all_tags(self.ctx.runtime.vault, session.get_one(User, user_id))
            jobs.adopt(session, user_id, whom)
        while live := self._live_jobs(user_id):
            self.ctx.check()
            families.cancel_all(self.ctx.runtime, live)
        with self.ctx.runtime.sessions() as session:
            if jobs.has_live_jobs(session, user_id):
                raise HandedOver("waits for jobs to end", LOOK_AGAIN_S)

    def revoke(self) -> int:
        """Have every provider told that its grant is over; returns how many were.

        What a provider does not answer for hours is forgotten: no erasure waits for ever.
        """
        with self.ctx.transaction() as session:
            user_id = service.locked(session, self.request_id).user_id
            if user_id is None:
                return 0
            parted = partings.part_with_all(self.ctx.runtime, session, user_id)
            self._count(session, "connections", {"connections": parted})
            owed = partings.owed(session, user_id)
        children = [
            ChildJob(REVOCATION.name, {"revocation_id": str(one)}, key=str(one)) for one in owed
        ]
        self.ctx.submit_children(children)
        ends = self.ctx.wait_children(step=self.ctx.step_name, failure=ChildFailure.IGNORE)
        return sum(bool(end.result.get("revoked")) for end in ends)

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

    def remove_account(self) -> str:
        """Once more all of it, since requests that were under way may have added something.

        Returns when it was gone.
        """
        self.cancel()
        self.erase()
        self.remove_traces()
        try:
            self._erase(_domains()[-1])
        except IntegrityError as exc:
            raise HandedOver("something new was found", LOOK_AGAIN_S) from exc
        return utc_now().isoformat()

    def remove_recordings(self, gone_at: datetime) -> None:
        """Plain files that the switch wrote of their calls, and of whatever else is nobody's.

        What cannot be removed is tried again for a while; then the receipt says that it is there.
        """
        with self.ctx.runtime.sessions() as session:
            if recordings.are_being_made(session):
                raise HandedOver("waits for calls to hang up", LOOK_AGAIN_S)
        left = recordings.left_of_erased(self.ctx)
        if left and utc_now() - gone_at < RECORDINGS_TRIED_FOR:
            raise HandedOver("recordings could not be removed", TRY_AGAIN_S)
        with self.ctx.transaction() as session:
            self._count(session, "calls", {"recordings_left": left} if left else {})

    def tell(self, gone_at: datetime) -> None:
        """Write to the address that was theirs, and forget it."""
        with self.ctx.runtime.sessions() as session:
            request = session.get_one(PrivacyRequest, self.request_id)
        say_farewell(self.ctx, request, gone_at)
        with self.ctx.transaction() as session:
            service.locked(session, self.request_id).address = None

    def sign(self, revoked: int) -> dict[str, Any]:
        """The receipt, by which the request is complete."""
        with self.ctx.transaction() as session:
            self._count(session, "connections", {"grants_revoked": revoked})
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
