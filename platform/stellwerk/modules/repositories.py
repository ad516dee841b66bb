"""The rules of repositories: which are added, and which may go."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record
from stellwerk.errors import Conflict, ErrorCode, FieldError, InvalidInput
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules import indices
from stellwerk.modules.model import Module, ModuleRepository
from stellwerk.providers.repositories.protocol import SourceKind
from stellwerk.providers.repositories.signatures import is_public_key


@dataclass(frozen=True, slots=True)
class NewRepository:
    """What is asked for; a folder's `location` is its path, an index's the URL of its folder."""

    name: str
    kind: SourceKind
    location: str
    public_key: str | None = None


def add(runtime: Runtime, actor: int, wanted: NewRepository) -> int:
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
    try:
        with runtime.sessions.begin() as session:
            session.add(row)
            session.flush()
            _record(session, Action.REPOSITORY_ADDED, actor, row)
            return row.id
    except IntegrityError as exc:
        raise Conflict(f"There is a repository called {wanted.name} already.") from exc


def remove(runtime: Runtime, actor: int, repository_id: int) -> None:
    """Forget a repository; raises NotFound, and Conflict where installed modules are from it."""
    from_it = select(Module.name).where(Module.repository_id == repository_id).order_by(Module.name)
    with runtime.sessions.begin() as session:
        row = indices.repository(session, repository_id)
        names = list(session.scalars(from_it))
        if names:
            message = f"{', '.join(names)}: installed from {row.name}. Uninstall these first."
            details = {"modules": names}
            raise Conflict(message, code=ErrorCode.REPOSITORY_IN_USE, details=details)
        _record(session, Action.REPOSITORY_REMOVED, actor, row)
        session.delete(row)


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
