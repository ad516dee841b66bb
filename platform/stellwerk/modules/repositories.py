"""The rules of repositories: which are added, and which may go."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import or_, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record
from stellwerk.errors import Conflict, ErrorCode, FieldError, InvalidInput, NotFound
from stellwerk.jobs.model import Job
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules import indices
from stellwerk.modules.model import Module, ModuleOperation, ModuleRepository
from stellwerk.providers.repositories.protocol import SourceKind
from stellwerk.providers.repositories.signatures import is_public_key


@dataclass(frozen=True, slots=True)
class NewRepository:
    """What is asked for; a folder's `location` is its path, an index's the URL of its folder."""

    name: str
    kind: SourceKind
    location: str
    public_key: str | None = None


def add(session: Session, runtime: Runtime, actor: int, wanted: NewRepository) -> int:
    """Write a repository down, and return its id; it is not read yet.

    Raises InvalidInput, Conflict for a name that is taken, and ProviderRejected
    (UNSIGNED_REPOSITORY).
    """
    _refuse_unfit(wanted)
    row = ModuleRepository(
        name=wanted.name,
        kind=wanted.kind.value,
        location=wanted.location,
        public_key=wanted.public_key,
    )
    indices.require_signed(runtime, indices.source_of(row))
    session.add(row)
    try:
        session.flush()
    except IntegrityError as exc:
        raise Conflict(f"There is a repository called {wanted.name} already.") from exc
    _record(session, Action.REPOSITORY_ADDED, actor, row)
    return row.id


def called(session: Session, name: str) -> int:
    """The id of the repository of that name; raises NotFound."""
    found = session.scalar(select(ModuleRepository.id).where(ModuleRepository.name == name))
    if found is None:
        raise NotFound(f"There is no repository called {name}.")
    return found


def remove(runtime: Runtime, actor: int, repository_id: int) -> None:
    """Forget a repository; raises NotFound, and Conflict (REPOSITORY_IN_USE).

    In use it is where installed modules are from it, or operations under way may take one from it.
    """
    with runtime.sessions.begin() as session:
        session.execute(_NO_NEW_OPERATIONS)
        row = indices.repository(session, repository_id)
        session.refresh(row, with_for_update=True)
        _refuse_installed_from(session, row)
        _refuse_taken_from(session, row)
        _record(session, Action.REPOSITORY_REMOVED, actor, row)
        session.delete(row)


# One that is accepted after this finds the repository gone.
_NO_NEW_OPERATIONS = text("LOCK TABLE module_operations IN SHARE MODE")
_TAKING = ("modules.install", "modules.update")


def _refuse_installed_from(session: Session, row: ModuleRepository) -> None:
    from_it = select(Module.name).where(Module.repository_id == row.id).order_by(Module.name)
    names = list(session.scalars(from_it))
    if names:
        message = f"{', '.join(names)}: installed from {row.name}. Uninstall these first."
        details = {"modules": names}
        raise Conflict(message, code=ErrorCode.REPOSITORY_IN_USE, details=details)


def _refuse_taken_from(session: Session, row: ModuleRepository) -> None:
    """One that names no repository may come to take it from any."""
    named = Job.payload["repository_id"].as_integer()
    under_way = (
        select(ModuleOperation.module_name)
        .join(Job, Job.id == ModuleOperation.job_id)
        .where(ModuleOperation.is_active, Job.operation.in_(_TAKING))
        .where(or_(named.is_(None), named == row.id))
        .order_by(ModuleOperation.module_name)
    )
    names = list(session.scalars(under_way))
    if names:
        message = f"{', '.join(names)}: being installed or updated, maybe from {row.name}."
        details = {"modules": names}
        code = ErrorCode.REPOSITORY_IN_USE
        raise Conflict(message, code=code, details=details, retry_after_s=2)


def _record(session: Session, action: Action, actor: int, row: ModuleRepository) -> None:
    target = f"repository:{row.id}"
    details = {"name": row.name, "kind": row.kind, "location": row.location}
    record(session, action=action, actor=actor, target=target, details=details)


def _refuse_unfit(wanted: NewRepository) -> None:
    wrong = {
        "location": _URL_RULE if _is_wrong_url(wanted) else _folder_problem(wanted),
        "public_key": _KEY_RULE if _is_wrong_key(wanted.public_key) else "",
    }
    _raise(wrong)


_URL_RULE = "Must be an https:// address without a name, a password, a query or a fragment."
_KEY_RULE = "Must be an Ed25519 public key: 32 bytes in base64."


def _is_wrong_url(wanted: NewRepository) -> bool:
    if wanted.kind is not SourceKind.HTTPS:
        return False
    try:
        parts = urlsplit(wanted.location)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return True
    extras = (parts.username, parts.password, parts.query, parts.fragment)
    return parts.scheme != "https" or not is_whole or any(extras)


def _folder_problem(wanted: NewRepository) -> str:
    if wanted.kind is not SourceKind.FILE:
        return ""
    folder = Path(wanted.location)
    if not folder.is_absolute():
        return "Must be an absolute path."
    return "" if _is_folder(folder) else "Is no folder that this process can read."


def _is_folder(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
        return False


def _is_wrong_key(public_key: str | None) -> bool:
    return public_key is not None and not is_public_key(public_key)


def _raise(wrong: Mapping[str, str]) -> None:
    errors = [FieldError(field, reason) for field, reason in wrong.items() if reason]
    if errors:
        raise InvalidInput("The repository cannot be added.", errors=errors)
