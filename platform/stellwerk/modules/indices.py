"""What repositories offer: their indices, as they were last read and checked.

An index is read again when it is older than its time; while its repository is down the old one
stands, and says so.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from stellwerk.choices import Mode
from stellwerk.errors import ErrorCode, NotFound, ProviderError, ProviderRejected
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules.model import ModuleOffer, ModuleRepository
from stellwerk.providers.repositories.index import dumped, loaded
from stellwerk.providers.repositories.protocol import Entry, Index, Source, SourceKind
from stellwerk.providers.repositories.refusals import signature_wrong
from stellwerk.providers.repositories.versions import ordered
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


def offers(
    session: Session, repository_id: int | None = None, *, names: Collection[str] | None = None
) -> list[Offer]:
    """What repositories have, in the order of their ids: all of it, or modules of these names."""
    query = (
        select(ModuleOffer.repository_id, ModuleRepository.name, ModuleOffer.entry)
        .join(ModuleRepository, ModuleRepository.id == ModuleOffer.repository_id)
        .order_by(ModuleOffer.repository_id, ModuleOffer.name, ModuleOffer.newer)
    )
    if repository_id is not None:
        query = query.where(ModuleOffer.repository_id == repository_id)
    if names is not None:
        query = query.where(ModuleOffer.name.in_(names))
    return [Offer(*row) for row in session.execute(query)]


def place_of(name: str, repository_id: int) -> str:
    """By what offered modules are sorted."""
    return f"{name.lower()} {name} {repository_id:010}"


def replace(session: Session, repository_id: int, entries: Sequence[Mapping[str, Any]]) -> None:
    """Let a repository have these entries (as JSON) and no others."""
    session.execute(delete(ModuleOffer).where(ModuleOffer.repository_id == repository_id))
    by_name = sorted(entries, key=itemgetter("name"))
    rows: list[dict[str, Any]] = []
    categories: Counter[str] = Counter()
    for name, named in groupby(by_name, key=itemgetter("name")):
        place = place_of(name, repository_id)
        newest_first = sorted(named, key=lambda one: ordered(one["version"]), reverse=True)
        rows += _rows(repository_id, place, newest_first)
        categories[newest_first[0].get("category", "")] += 1
    if rows:
        session.execute(insert(ModuleOffer), rows)
    known = {"modules": categories.total(), "versions": len(rows), "categories": categories}
    mine = ModuleRepository.id == repository_id
    session.execute(update(ModuleRepository).where(mine).values(**known))


def _rows(
    repository_id: int, place: str, newest_first: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    for newer, entry in enumerate(newest_first):
        yield {
            "repository_id": repository_id,
            "name": entry["name"],
            "version": entry["version"],
            "place": place,
            "newer": newer,
            "category": entry.get("category", ""),
            "words": f"{entry['name']}\n{entry['description']}".lower(),
            "entry": dict(entry),
        }


def stale(session: Session, ttl_s: float) -> Sequence[int]:
    """Ids of repositories that were not tried within the time."""
    oldest = func.now() - timedelta(seconds=ttl_s)
    is_old = or_(ModuleRepository.tried_at.is_(None), ModuleRepository.tried_at < oldest)
    query = select(ModuleRepository.id).where(is_old).order_by(ModuleRepository.id)
    return session.scalars(query).all()


def refresh_stale(runtime: Runtime) -> None:
    """Read what is older than its time; one that cannot be read keeps its old index."""
    with runtime.sessions() as session:
        due = stale(session, runtime.settings.module_index_ttl_s)
    for repository_id in due:
        _try_to_sync(runtime, repository_id)


def read_samples(runtime: Runtime) -> None:
    """Read those that come with the platform where nobody has yet.

    They are few, and on this machine's own disk; every other repository is read by jobs.
    """
    unread = (ModuleRepository.location == SHIPPED, ModuleRepository.tried_at.is_(None))
    query = select(ModuleRepository.id).where(*unread)
    with runtime.sessions() as session:
        if session.scalar(query) is None:
            return
    mine = update(ModuleRepository).where(*unread).values(tried_at=func.now())
    with runtime.sessions.begin() as session:  # of several at once one reads them
        repository_id = session.scalar(mine.returning(ModuleRepository.id))
    if repository_id is not None:
        _try_to_sync(runtime, repository_id)


def _try_to_sync(runtime: Runtime, repository_id: int) -> None:
    with suppress(ProviderError, NotFound):  # the row says why
        sync(runtime, repository_id)


def sync(runtime: Runtime, repository_id: int) -> bool:
    """Read a repository's index now; returns whether it changed.

    Raises NotFound, ProviderUnavailable and ProviderRejected, which the row then tells too.
    """
    with runtime.sessions() as session:
        row = repository(session, repository_id)
        source, etag = source_of(row), row.etag
    try:
        require_signed(runtime, source)
        index = runtime.providers.repositories.read_index(source, etag)
        _store(runtime, repository_id, index)
    except ProviderError as exc:
        with runtime.sessions.begin() as session:
            _note(session, repository_id, error=exc.message)
        raise
    return index is not None


def _store(runtime: Runtime, repository_id: int, index: Index | None) -> None:
    """What was read; None where that is what is known already."""
    entries = [dumped(entry) for entry in index.entries] if index else []
    with runtime.sessions.begin() as session:
        _note(session, repository_id, error=None, synced_at=func.now())  # one at a time from here
        row = repository(session, repository_id)
        if index is not None:
            _refuse_older(row, index)
            known = {"etag": index.etag, "published_at": index.published_at}
            _note(session, repository_id, **known)
            replace(session, repository_id, entries)


def _refuse_older(row: ModuleRepository, index: Index) -> None:
    """One that was signed and then replaced may name what its owner took back."""
    known = row.published_at
    if row.public_key and known and (index.published_at is None or index.published_at < known):
        told = f"index.json is older than the one that was read before, of {known.isoformat()}"
        raise signature_wrong("older", f"{told}. Its owner has to sign it anew")


def _note(session: Session, repository_id: int, **known: object) -> None:
    mine = ModuleRepository.id == repository_id
    values = {"tried_at": func.now(), **known}
    session.execute(update(ModuleRepository).where(mine).values(**values))


def is_unread(session: Session, repository_id: int | None = None) -> bool:
    """Whether an index that may have what is meant was never read."""
    query = select(ModuleRepository.id).where(ModuleRepository.tried_at.is_(None))
    if repository_id is not None:
        query = query.where(ModuleRepository.id == repository_id)
    return session.scalar(query.limit(1)) is not None
