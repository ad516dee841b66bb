"""What repositories offer: their indices, as they were last read and checked.

An index is read again when it is older than its time; while its repository is down the old one
stands, and says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from stellwerk.choices import Mode
from stellwerk.errors import ErrorCode, NotFound, ProviderError, ProviderRejected
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules.model import ModuleRepository
from stellwerk.providers.repositories.index import dumped, loaded
from stellwerk.providers.repositories.protocol import Entry, Index, Source, SourceKind
from stellwerk.shipped import shipped

SHIPPED = "shipped:"  # the location of the samples, wherever they were installed


@dataclass(frozen=True)
class Offer:
    """A version of a module that a repository has; `stored` is its entry as JSON."""

    repository_id: int
    repository: str
    stored: dict[str, Any]

    @property
    def name(self) -> str:
        """The module's name."""
        return str(self.stored["name"])

    @property
    def version(self) -> str:
        """The module's version."""
        return str(self.stored["version"])

    @cached_property
    def entry(self) -> Entry:
        """The entry, which takes a moment to read: an index may have thousands."""
        return loaded(self.stored)


def source_of(repository: ModuleRepository) -> Source:
    """Where a repository is read."""
    location = repository.location
    if location == SHIPPED:
        location = str(shipped("modules/repository"))
    return Source(SourceKind(repository.kind), location, repository.public_key)


def require_signed(runtime: Runtime, source: Source) -> None:
    """Raise ProviderRejected for a repository without a key, in production mode."""
    if runtime.settings.mode is Mode.PRODUCTION and not source.public_key:
        message = "In production mode modules come from repositories with a public key alone."
        raise ProviderRejected(message, code=ErrorCode.UNSIGNED_REPOSITORY)


def repository(session: Session, repository_id: int) -> ModuleRepository:
    """A repository; raises NotFound."""
    found = session.get(ModuleRepository, repository_id)
    if found is None:
        raise NotFound(f"There is no repository {repository_id}.")
    return found


def offers(session: Session, repository_id: int | None = None) -> list[Offer]:
    """All that repositories have, in the order of their ids."""
    query = select(ModuleRepository).order_by(ModuleRepository.id)
    if repository_id is not None:
        query = query.where(ModuleRepository.id == repository_id)
    return [offer for row in session.scalars(query) for offer in _offers(row)]


def _offers(row: ModuleRepository) -> Iterator[Offer]:
    for entry in (row.index or {}).get("modules", ()):
        yield Offer(row.id, row.name, entry)


def stale(session: Session, ttl_s: float, kind: SourceKind | None = None) -> Sequence[int]:
    """Ids of repositories that were not tried within the time."""
    oldest = func.now() - timedelta(seconds=ttl_s)
    is_old = or_(ModuleRepository.tried_at.is_(None), ModuleRepository.tried_at < oldest)
    query = select(ModuleRepository.id).where(is_old).order_by(ModuleRepository.id)
    if kind is not None:
        query = query.where(ModuleRepository.kind == kind.value)
    return session.scalars(query).all()


def refresh_stale(runtime: Runtime, kind: SourceKind | None = None) -> None:
    """Read what is older than its time; one that cannot be read keeps its old index."""
    with runtime.sessions() as session:
        due = stale(session, runtime.settings.module_index_ttl_s, kind)
    for repository_id in due:
        try:
            sync(runtime, repository_id)
        except (ProviderError, NotFound):
            continue  # the row says why


def sync(runtime: Runtime, repository_id: int) -> bool:
    """Read a repository's index now; returns whether it changed.

    Raises NotFound, ProviderUnavailable and ProviderRejected, which the row then tells too.
    """
    with runtime.sessions() as session:
        row = repository(session, repository_id)
        source, etag = source_of(row), row.etag if row.index is not None else None
    try:
        require_signed(runtime, source)
        index = runtime.providers.repositories.read_index(source, etag)
    except ProviderError as exc:
        _note(runtime, repository_id, {"error": exc.message})
        raise
    _note(runtime, repository_id, _read(index))
    return index is not None


def _read(index: Index | None) -> dict[str, object]:
    known: dict[str, object] = {"error": None, "synced_at": func.now()}
    if index is not None:
        entries = [dumped(entry) for entry in index.entries]
        names = {entry.name for entry in index.entries}
        known |= {"index": {"modules": entries}, "modules": len(names), "etag": index.etag}
    return known


def _note(runtime: Runtime, repository_id: int, known: dict[str, object]) -> None:
    mine = ModuleRepository.id == repository_id
    with runtime.sessions.begin() as session:
        session.execute(update(ModuleRepository).where(mine).values(tried_at=func.now(), **known))


def is_unread(session: Session, repository_id: int | None = None) -> bool:
    """Whether an index that may have what is meant was never read."""
    query = select(ModuleRepository.id).where(ModuleRepository.tried_at.is_(None))
    if repository_id is not None:
        query = query.where(ModuleRepository.id == repository_id)
    return session.scalar(query.limit(1)) is not None
