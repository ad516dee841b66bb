"""The rules of requests: who may ask, what is refused, what a job's life does to its request."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action, Party
from stellwerk.audit.trail import record
from stellwerk.clock import new_id
from stellwerk.db.engine import vault_of
from stellwerk.errors import Conflict, ErrorCode, JobFailed, NotFound
from stellwerk.identity.model import User
from stellwerk.jobs import control
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import Runtime, Unit, unit
from stellwerk.jobs.sealing import unseal
from stellwerk.jobs.states import TERMINAL, JobStatus
from stellwerk.jobs.submission import Submission, accept
from stellwerk.privacy.accounts import refuse_last_admin
from stellwerk.privacy.model import PrivacyRequest, RequestKind, RequestStatus
from stellwerk.vault import Vault

EXPORT = "privacy.export"
ERASE = "privacy.erase"
ENGLISH = "en"
FILE = "personal-data.zip"  # of an export

_WITHDRAWN: Mapping[RequestKind, Action] = MappingProxyType(
    {
        RequestKind.EXPORT: Action.ACCOUNT_EXPORT_WITHDRAWN,
        RequestKind.ERASE: Action.ACCOUNT_ERASURE_WITHDRAWN,
    }
)


@dataclass(frozen=True, slots=True)
class Erasure:
    """A request to erase, and the token of its receipt, which is nowhere kept."""

    request: PrivacyRequest
    receipt_token: str


def request_export(
    runtime: Runtime, user_id: int, *, request_id: str | None = None, language: str = ENGLISH
) -> PrivacyRequest:
    """Ask for everything that is held of a user; raises Conflict while one is under way."""
    with unit(runtime) as work:
        made = _made(work, user_id, RequestKind.EXPORT, timedelta(0), language)
        _note(work.session, Action.ACCOUNT_EXPORT_REQUESTED, made)
        payload = {"request_id": str(made.id)}
        accept(runtime, work, Submission(EXPORT, payload, user_id, request_id=request_id), payload)
    return made


def request_erasure(
    runtime: Runtime,
    user_id: int,
    *,
    request_id: str | None = None,
    by: int | Party | None = None,
    language: str = ENGLISH,
) -> Erasure:
    """Ask for the erasure of an account, which begins once `erasure_grace_h` are over.

    Its job is the system's: nothing that belongs to the user outlasts it. `by`: who asks, where it
    is not the user. Raises NotFound, Conflict while one is under way, and for the last
    administrator.
    """
    token = secrets.token_urlsafe(32)
    grace = timedelta(hours=runtime.settings.erasure_grace_h)
    with unit(runtime) as work:
        refuse_last_admin(work.session, user_id)
        made = _made(work, user_id, RequestKind.ERASE, grace, language)
        made.receipt_hash = token_hash(token)
        _note(work.session, Action.ACCOUNT_ERASURE_REQUESTED, made, by)
        payload = {"request_id": str(made.id)}
        run_at = made.due_at if grace else None
        submission = Submission(ERASE, payload, None, run_at=run_at, request_id=request_id)
        accept(runtime, work, submission, payload)
    return Erasure(made, token)


def withdraw(runtime: Runtime, user_id: int, request_id: UUID) -> PrivacyRequest:
    """Take a request back that has not begun; raises NotFound, Conflict."""
    with unit(runtime) as work:
        found = locked(work.session, request_id)
        if found.user_id != user_id:
            raise unknown(request_id)
        if found.status != RequestStatus.PENDING:
            raise Conflict(f"The request is {found.status}; it cannot be taken back.")
        found.status = RequestStatus.CANCELLED
        found.finished_at = _now(work.session)
        _note(work.session, _WITHDRAWN[RequestKind(found.kind)], found)
    if found.job_id:
        _cancel(runtime, found.job_id)
    return found


def begin(session: Session, request_id: UUID) -> PrivacyRequest:
    """The request that a job carries out, locked and running from now on; raises JobFailed."""
    found = locked(session, request_id)
    if found.status == RequestStatus.CANCELLED:
        raise JobFailed("The request was taken back.", code=ErrorCode.JOB_CANCELLED)
    found.status = RequestStatus.RUNNING
    return found


def locked(session: Session, request_id: UUID) -> PrivacyRequest:
    """A request's row, locked until the transaction ends; raises NotFound."""
    found = session.get(PrivacyRequest, request_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise unknown(request_id)
    return found


def token_hash(token: str) -> str:
    """What is stored of a receipt's token: SHA-256 is enough for what nobody can guess."""
    return sha256(token.encode()).hexdigest()


def unknown(request_id: UUID | str) -> NotFound:
    """The refusal of a request that does not exist or is somebody else's."""
    return NotFound(f"There is no request {request_id}.")


def keep_address(session: Session, request_id: UUID, user: User) -> None:
    """Whom to tell once the account is gone: nobody, where nobody proved to read mails there."""
    if user.email_verified_at is not None:
        found = locked(session, request_id)
        found.address = vault_of(session).seal(user.email, str(request_id))


def kept_address(vault: Vault, request: PrivacyRequest) -> str | None:
    """The address that was kept, until it is forgotten."""
    return vault.open(request.address, str(request.id)) if request.address else None


def accept_export(session: Session, job: Job, runtime: Runtime) -> None:
    """Only for a request of the job's owner that has no job yet."""
    del runtime
    found = _to_carry_out(session, job, RequestKind.EXPORT)
    if found.user_id != job.owner_id:
        raise unknown(found.id)


def accept_erasure(session: Session, job: Job, runtime: Runtime) -> None:
    """Only for a request that has no job yet."""
    del runtime
    _to_carry_out(session, job, RequestKind.ERASE)


def end_request(session: Session, job: Job, runtime: Runtime) -> None:
    """Whoever ended the job: so did its request, unless that was erased or taken back."""
    del runtime
    found = _of(session, job)
    if found is not None and found.finished_at is None:
        found.status = RequestStatus(job.status)
        found.finished_at = _now(session)
        found.is_available = found.kind == RequestKind.EXPORT and job.status == "completed"


def requeue_request(session: Session, job: Job, runtime: Runtime) -> None:
    """Somebody retries the job: its request is open again; raises Conflict where another is."""
    del runtime
    found = _of(session, job)
    if found is None:
        raise Conflict("What was asked for is gone.")
    if found.user_id is not None:
        _refuse_second(session, found.user_id, RequestKind(found.kind))
    found.status, found.finished_at = RequestStatus.PENDING, None


def _made(
    work: Unit, user_id: int, kind: RequestKind, grace: timedelta, language: str
) -> PrivacyRequest:
    session = work.session
    held = {"key_share": True}
    if session.get(User, user_id, with_for_update=held, populate_existing=True) is None:
        raise NotFound(f"There is no user {user_id}.")
    _refuse_second(session, user_id, kind)
    due_at = _now(session) + grace
    made = PrivacyRequest(id=new_id(), kind=kind.value, user_id=user_id, due_at=due_at)
    made.language = language
    session.add(made)
    session.flush()
    session.refresh(made)
    return made


def _note(
    session: Session, action: Action, made: PrivacyRequest, by: int | Party | None = None
) -> None:
    whose = made.user_id or 0
    record(
        session,
        action=action,
        actor=whose if by is None else by,
        subject_user_id=whose,
        target=f"privacy_request:{made.id}",
    )


def _refuse_second(session: Session, user_id: int, kind: RequestKind) -> None:
    query = select(PrivacyRequest.id).where(
        PrivacyRequest.user_id == user_id,
        PrivacyRequest.kind == kind,
        PrivacyRequest.finished_at.is_(None),
    )
    found = session.scalar(query)
    if found is not None:
        details = {"request_id": str(found)}
        raise Conflict(f"Such a request is under way: {found}.", details=details)


def _to_carry_out(session: Session, job: Job, kind: RequestKind) -> PrivacyRequest:
    found = _of(session, job)
    if found is None or found.kind != kind or found.job_id or found.finished_at:
        raise unknown(_id_in(session, job))
    found.job_id = job.id
    return found


def _of(session: Session, job: Job) -> PrivacyRequest | None:
    return session.get(PrivacyRequest, _id_in(session, job))


def _id_in(session: Session, job: Job) -> UUID:
    return UUID(unseal(vault_of(session), job.id, job.payload)["request_id"])


def _cancel(runtime: Runtime, job_id: UUID) -> None:
    with runtime.sessions() as session:
        job = session.get(Job, job_id)
    if job is not None and JobStatus(job.status) not in TERMINAL:
        control.cancel(runtime, job_id)


def _now(session: Session) -> datetime:
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now
