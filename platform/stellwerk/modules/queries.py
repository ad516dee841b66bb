"""Modules and their instances, as clients see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import aliased

from stellwerk.clock import rfc3339
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules import service, watching
from stellwerk.modules.model import Module, ModuleInstance
from stellwerk.modules.offering import newest_versions
from stellwerk.modules.services import environment_of
from stellwerk.modules.states import InstanceStatus
from stellwerk.modules.states import Wanted as WantedState
from stellwerk.modules.watching import Seen
from stellwerk.providers.repositories.versions import ordered
from stellwerk.providers.services.protocol import ServiceStatus

Document = dict[str, Any]

_COLUMNS: tuple[Any, ...] = (
    ModuleInstance.id,
    ModuleInstance.module_name,
    ModuleInstance.version,
    ModuleInstance.service,
    ModuleInstance.path,
    ModuleInstance.wanted,
    ModuleInstance.status,
    ModuleInstance.health,
    ModuleInstance.message,
    ModuleInstance.restarts,
    ModuleInstance.created_at,
    ModuleInstance.updated_at,
    (Module.primary_instance_id == ModuleInstance.id).label("is_primary"),
)


@dataclass(frozen=True, slots=True)
class InstanceFilter:
    """Which instances are meant; `after` is the id before the page's first."""

    module_name: str | None = None
    status: InstanceStatus | None = None
    after: str | None = None
    limit: int | None = None


def instances(runtime: Runtime, wanted: InstanceFilter) -> list[Document]:
    """Instances in the order of their ids, which is that of their age."""
    rows = _rows(runtime, wanted)
    return _shown(rows, _seen(runtime, rows), wanted)


def instances_as_seen(
    runtime: Runtime, wanted: InstanceFilter, seen: Mapping[str, Seen] | None
) -> list[Document]:
    """The same for who has just looked at their services."""
    return _shown(_rows(runtime, wanted), seen, wanted)


def instance(runtime: Runtime, module_name: str, instance_id: str) -> Document:
    """One of them, with what only a closer look shows; raises NotFound."""
    with runtime.sessions() as session:
        row = service.instance(session, module_name, instance_id)
        head = session.execute(_of_rows().where(ModuleInstance.id == instance_id)).one()
        names = {*environment_of(runtime.vault, row)}
    more = {
        "service": row.service,
        "last_log": row.last_log,
        "environment": sorted(names),
    }
    return _instance(head, _seen(runtime, [head])) | more


def primary(runtime: Runtime, module_name: str) -> Document:
    """The instance that a module is reached by; raises NotFound."""
    with runtime.sessions() as session:
        instance_id = service.installed(session, module_name).primary_instance_id
    return instance(runtime, module_name, instance_id)


def modules(runtime: Runtime, *, after: str | None = None, limit: int) -> list[Document]:
    """Installed modules, by their names."""
    query = _modules_listed(limit)
    if after is not None:
        query = query.where(Module.name > after)
    with runtime.sessions() as session:
        rows = session.execute(query).all()
        newest = newest_versions(session, {row.module_name for row in rows})
    seen = _seen(runtime, rows)
    origin = runtime.settings.modules_base_url()
    return [
        _module(row.Module, newest)
        | _reached(_instance(row, seen), origin)
        | {"instances": row.number}
        for row in rows
    ]


def _modules_listed(limit: int) -> Select[Any]:
    """Modules with their primary instances, at one moment: one may be gone the next."""
    each = aliased(ModuleInstance)
    number = select(func.count()).where(each.module_name == Module.name).scalar_subquery()
    return (
        select(Module, number.label("number"), *_COLUMNS)
        .join(ModuleInstance, ModuleInstance.id == Module.primary_instance_id)
        .order_by(Module.name)
        .limit(limit)
    )


def _rows(runtime: Runtime, wanted: InstanceFilter) -> Sequence[Row[Any]]:
    with runtime.sessions() as session:
        return session.execute(_listed(wanted)).all()


def _shown(
    rows: Sequence[Row[Any]], seen: Mapping[str, Seen] | None, wanted: InstanceFilter
) -> list[Document]:
    shown = (_instance(row, seen) for row in rows)
    meant = (one for one in shown if wanted.status in {None, one["status"]})
    return list(islice(meant, wanted.limit))


def _listed(wanted: InstanceFilter) -> Select[Any]:
    query = _of_rows().order_by(ModuleInstance.id)
    if wanted.module_name is not None:
        query = query.where(ModuleInstance.module_name == wanted.module_name)
    return query if wanted.after is None else query.where(ModuleInstance.id > wanted.after)


def _of_rows() -> Select[Any]:
    return select(*_COLUMNS).join(Module, Module.name == ModuleInstance.module_name)


def _seen(runtime: Runtime, rows: Sequence[Row[Any]]) -> Mapping[str, Seen] | None:
    ought_to_run = {row.service for row in rows if row.wanted == WantedState.RUNNING.value}
    return watching.seen(runtime, ought_to_run) if rows else {}


def _instance(row: Row[Any], seen: Mapping[str, Seen] | None) -> Document:
    """Where the runtime does not answer: as it was last reconciled."""
    present = seen.get(row.service) if seen is not None else None
    shown = {
        "instance_id": row.id,
        "module_name": row.module_name,
        "path": row.path,
        "version": row.version,
        "status": row.status,
        "health": row.health,
        "message": row.message,
        "is_primary": row.is_primary,
        "frontend_url": f"/{row.module_name}/",
        "restarts": row.restarts,
        "started_at": None,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }
    return shown if seen is None else shown | _now(row, present)


def _now(row: Row[Any], seen: Seen | None) -> Document:
    status = watching.status_of(row.wanted, seen.status if seen else None)
    told = {
        "status": status.value,
        "health": watching.health_of(seen.status if seen else None),
        "message": _reason(row, seen) if status is InstanceStatus.ERROR else "",
    }
    return told | ({"restarts": seen.restarts, "started_at": seen.started_at} if seen else {})


def _reason(row: Row[Any], seen: Seen | None) -> str:
    """Why it is in error: of one that is gone the reconciliation knows more than the runtime."""
    is_gone = seen is None or seen.status is ServiceStatus.STOPPED
    if is_gone and row.status == InstanceStatus.ERROR.value and row.message:
        return str(row.message)
    return seen.message if seen else watching.LOST


def _module(row: Module, newest: Mapping[tuple[str, int], str]) -> Document:
    offered = [
        version
        for (name, repository_id), version in newest.items()
        if name == row.name and row.repository_id in {None, repository_id}
    ]
    latest = max(offered, key=ordered, default=row.version)
    return {
        "name": row.name,
        "version": row.version,
        "newest_version": latest,
        "update_available": ordered(latest) > ordered(row.version),
        "category": row.entry.get("category", ""),
        "description": row.entry["description"],
        "dependencies": row.entry.get("dependencies", []),
        "repository_id": row.repository_id,
        "primary_instance_id": row.primary_instance_id,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def _reached(head: Document, origin: str) -> Document:
    return {
        "status": head["status"],
        "health": head["health"],
        "frontend_url": origin + head["frontend_url"],
    }
