"""Repositories and what they offer, as clients see it.

Indices are read here as they are stored: they were checked when they were synced, and the larger
ones would take seconds to be checked again.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stellwerk.clock import rfc3339, utc_now
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules import indices
from stellwerk.modules.model import Module, ModuleRepository
from stellwerk.providers.repositories.versions import ordered

SLACK_S = 60.0  # until what is due was read: the reconciliation has that done

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OfferFilter:
    """Which modules are meant; `after` is the place (`place_of`) before the page's first."""

    repository_id: int | None = None
    category: str | None = None
    text: str | None = None  # in the name or the description
    is_installed: bool | None = None
    after: str | None = None


def place_of(name: str, repository_id: int) -> str:
    """By what offered modules are sorted."""
    return f"{name.lower()} {name} {repository_id:010}"


def offered(runtime: Runtime, wanted: OfferFilter) -> list[Document]:
    """Modules that are meant, by name; raises NotFound for an unknown repository."""
    with runtime.sessions() as session:
        if wanted.repository_id is not None:
            indices.repository(session, wanted.repository_id)
        installed = {row.name: row for row in session.scalars(select(Module))}
        rows = _repositories(session, wanted.repository_id)
    found = [
        one
        for row in rows
        for one in _modules_of(row, installed, runtime.settings.module_index_ttl_s)
        if _is_meant(one, wanted)
    ]
    return sorted(found, key=lambda one: str(one["place"]))


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
    entries = (
        (str(entry["name"]), row.id, str(entry["version"]))
        for row in (_repositories(session) if names else ())
        for entry in _entries(row)
        if entry["name"] in names
    )
    newest: dict[tuple[str, int], str] = {}
    for name, repository_id, version in entries:
        known = newest.get((name, repository_id))
        if known is None or ordered(version) > ordered(known):
            newest[name, repository_id] = version
    return newest


def _repositories(session: Session, repository_id: int | None = None) -> Sequence[ModuleRepository]:
    query = select(ModuleRepository).order_by(ModuleRepository.id)
    if repository_id is not None:
        query = query.where(ModuleRepository.id == repository_id)
    return session.scalars(query).all()


def _entries(row: ModuleRepository) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = (row.index or {}).get("modules", ())
    return found


def _modules_of(
    row: ModuleRepository, installed: Mapping[str, Module], ttl_s: float
) -> Iterator[Document]:
    by_name = sorted(_entries(row), key=lambda entry: str(entry["name"]))
    of_repository = {
        "repository_id": row.id,
        "repository": row.name,
        "stale": _is_stale(row, ttl_s),
        "synced_at": rfc3339(row.synced_at),
    }
    for name, entries in groupby(by_name, key=lambda entry: str(entry["name"])):
        newest_first = sorted(entries, key=lambda one: ordered(one["version"]), reverse=True)
        present = _present(installed.get(name), row.id, newest_first[0]["version"])
        place = {"place": place_of(name, row.id)}
        yield _offer(newest_first) | present | of_repository | place


def _offer(newest_first: Sequence[Mapping[str, Any]]) -> Document:
    newest = newest_first[0]
    return {
        "name": newest["name"],
        "version": newest["version"],
        "versions": [entry["version"] for entry in newest_first],
        "category": newest.get("category", ""),
        "description": newest["description"],
        "dependencies": newest.get("dependencies", []),
        "size_bytes": newest["size"],
        "signed": "signature" in newest,
    }


def _present(module: Module | None, repository_id: int, newest: str) -> Document:
    """An update comes from where the module came from."""
    if module is None:
        return {"installed": False, "installed_version": None, "update_available": False}
    is_its_own = module.repository_id in {None, repository_id}
    return {
        "installed": True,
        "installed_version": module.version,
        "update_available": is_its_own and ordered(newest) > ordered(module.version),
    }


def _is_meant(one: Document, wanted: OfferFilter) -> bool:
    text = (wanted.text or "").lower()
    return (
        wanted.category in {None, one["category"]}
        and wanted.is_installed in {None, one["installed"]}
        and (text in one["name"].lower() or text in one["description"].lower())
        and (wanted.after is None or one["place"] > wanted.after)
    )


def _repository(row: ModuleRepository, ttl_s: float) -> Document:
    of_name = {str(entry["name"]): str(entry.get("category", "")) for entry in _entries(row)}
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "location": row.location,
        "public_key": row.public_key,
        "modules": row.modules,
        "versions": len(_entries(row)),
        "categories": dict(sorted(Counter(of_name.values()).items())),
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
