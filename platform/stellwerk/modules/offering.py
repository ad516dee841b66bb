"""Repositories and what they offer, as clients see it.

Entries are read here as they are stored: they were checked when their index was synced.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from stellwerk.clock import rfc3339, utc_now
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules import indices
from stellwerk.modules.model import Module, ModuleOffer, ModuleRepository
from stellwerk.providers.repositories.versions import ordered

SLACK_S = 60.0  # until what is due was read: the reconciliation has that done

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OfferFilter:
    """Which modules are meant; `after` is the place (ModuleOffer) before the page's first."""

    repository_id: int | None = None
    category: str | None = None
    text: str | None = None  # in the name or the description
    is_installed: bool | None = None
    after: str | None = None


def offered(runtime: Runtime, wanted: OfferFilter, limit: int) -> list[Document]:
    """So many of the modules that are meant, by name; raises NotFound for an unknown repository."""
    with runtime.sessions() as session:
        if wanted.repository_id is not None:
            indices.repository(session, wanted.repository_id)
        rows = session.execute(_meant(wanted).limit(limit)).all()
        versions = _versions(session, [row.ModuleOffer for row in rows])
    ttl_s = runtime.settings.module_index_ttl_s
    return [
        _offer(row.ModuleOffer, versions)
        | _present(row.Module, row.ModuleOffer)
        | _of_repository(row.ModuleRepository, ttl_s)
        for row in rows
    ]


def repositories(runtime: Runtime, repository_id: int | None = None) -> list[Document]:
    """All of them, or one; raises NotFound for an unknown one."""
    counted = select(Module.repository_id, func.count().label("number"))
    with runtime.sessions() as session:
        if repository_id is not None:
            indices.repository(session, repository_id)
        rows = _repositories(session, repository_id)
        found = session.execute(counted.group_by(Module.repository_id))
        numbers = {row.repository_id: row.number for row in found}
    ttl_s = runtime.settings.module_index_ttl_s
    return [_repository(row, ttl_s) | {"installed": numbers.get(row.id, 0)} for row in rows]


def newest_versions(session: Session, names: Collection[str]) -> Mapping[tuple[str, int], str]:
    """The newest version that each repository has of these modules, by name and repository."""
    newest = (ModuleOffer.newer == 0, ModuleOffer.name.in_(names))
    columns = (ModuleOffer.name, ModuleOffer.repository_id, ModuleOffer.version)
    rows = session.execute(select(*columns).where(*newest))
    return {(row.name, row.repository_id): row.version for row in rows}


def _repositories(session: Session, repository_id: int | None = None) -> Sequence[ModuleRepository]:
    query = select(ModuleRepository).order_by(ModuleRepository.id)
    if repository_id is not None:
        query = query.where(ModuleRepository.id == repository_id)
    return session.scalars(query).all()


def _meant(wanted: OfferFilter) -> Select[ModuleOffer, ModuleRepository, Module]:
    """The newest versions, their repositories, and what is installed of them."""
    query = (
        select(ModuleOffer, ModuleRepository, Module)
        .join(ModuleRepository, ModuleRepository.id == ModuleOffer.repository_id)
        .outerjoin(Module, Module.name == ModuleOffer.name)
        .where(ModuleOffer.newer == 0)
        .order_by(ModuleOffer.place)
    )
    if wanted.repository_id is not None:
        query = query.where(ModuleOffer.repository_id == wanted.repository_id)
    if wanted.category is not None:
        query = query.where(ModuleOffer.category == wanted.category)
    if wanted.text is not None:
        query = query.where(func.strpos(ModuleOffer.words, wanted.text.lower()) > 0)
    if wanted.is_installed is not None:
        query = query.where(Module.name.is_(None) != wanted.is_installed)
    if wanted.after is not None:
        query = query.where(ModuleOffer.place > wanted.after)
    return query


def _versions(
    session: Session, offers: Sequence[ModuleOffer]
) -> Mapping[tuple[str, int], Sequence[str]]:
    """All that there are of these, the newest first."""
    columns = (ModuleOffer.name, ModuleOffer.repository_id, ModuleOffer.version)
    are_named = ModuleOffer.name.in_({one.name for one in offers})
    found: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    rows = session.execute(select(*columns).where(are_named).order_by(ModuleOffer.newer))
    for row in rows:
        found[row.name, row.repository_id].append(row.version)
    return found


def _offer(newest: ModuleOffer, versions: Mapping[tuple[str, int], Sequence[str]]) -> Document:
    entry = newest.entry
    return {
        "name": newest.name,
        "version": newest.version,
        "versions": versions[newest.name, newest.repository_id],
        "category": newest.category,
        "description": entry["description"],
        "dependencies": entry.get("dependencies", []),
        "size_bytes": entry["size"],
        "signed": "signature" in entry,
        "place": newest.place,
    }


def _of_repository(row: ModuleRepository, ttl_s: float) -> Document:
    return {
        "repository_id": row.id,
        "repository": row.name,
        "stale": _is_stale(row, ttl_s),
        "synced_at": rfc3339(row.synced_at),
    }


def _present(module: Module | None, newest: ModuleOffer) -> Document:
    """An update comes from where the module came from."""
    if module is None:
        return {"installed": False, "installed_version": None, "update_available": False}
    is_its_own = module.repository_id in {None, newest.repository_id}
    return {
        "installed": True,
        "installed_version": module.version,
        "update_available": is_its_own and ordered(newest.version) > ordered(module.version),
    }


def _repository(row: ModuleRepository, ttl_s: float) -> Document:
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "location": row.location,
        "public_key": row.public_key,
        "modules": row.modules,
        "versions": row.versions,
        "categories": dict(sorted(row.categories.items())),
        "reachable": None if row.tried_at is None else row.error is None,
        "stale": _is_stale(row, ttl_s),
        "synced_at": rfc3339(row.synced_at),
        "tried_at": rfc3339(row.tried_at),
        "error": row.error,
        "created_at": rfc3339(row.created_at),
    }


def _is_stale(row: ModuleRepository, ttl_s: float) -> bool:
    """Whether what is known may differ from what the repository has."""
    oldest: datetime = utc_now() - timedelta(seconds=ttl_s + SLACK_S)
    return row.error is not None or row.synced_at is None or row.synced_at < oldest
