"""Repositories, modules and instances as they are written down, without anything that runs."""

from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import delete

from module_repositories import ServerModule, make_repository
from stellwerk.bootstrap import Platform
from stellwerk.clock import new_id
from stellwerk.modules import indices, watching
from stellwerk.modules.model import (
    Module,
    ModuleInstance,
    ModuleOperation,
    ModuleRepository,
    ModuleSlot,
)
from stellwerk.modules.names import service_name
from stellwerk.providers.services.protocol import ServiceState, ServiceStatus

ENTRY: Mapping[str, Any] = {
    "version": "1.0.0",
    "category": "tests",
    "description": "Written down, and nowhere else.",
    "file": "module-1.0.0.tar.gz",
    "sha256": "0" * 64,
    "size": 1000,
    "command": ["python", "server.py"],
    "environment": {"GREETING": "hello"},
}


def add_repository(platform: Platform, folder: Path, *modules: ServerModule) -> int:
    """A folder with these modules, which was read; returns its id."""
    make_repository(folder, *modules)
    repository_id = add_unread(platform, folder.name, str(folder))
    indices.sync(platform.runtime, repository_id)
    return repository_id


def add_far_repository(platform: Platform) -> int:
    """One that nobody can reach, and nobody has tried to read."""
    name, location = f"far {token_hex(4)}", "https://modules.example.com"
    return add_unread(platform, name, location, kind="https")


def add_unread(platform: Platform, name: str, location: str, *, kind: str = "file") -> int:
    """A repository that nobody has read yet; returns its id."""
    row = ModuleRepository(name=name, kind=kind, location=location)
    with platform.runtime.sessions.begin() as session:
        session.add(row)
        session.flush()
        return row.id


def add_module(platform: Platform, name: str, *, number: int = 1, **values: Any) -> list[str]:
    """An installed module with so many instances; returns their ids, the primary one first."""
    ids = [new_id().hex for _ in range(number)]
    entry = {**ENTRY, "name": name, "dependencies": values.pop("dependencies", [])}
    repository_id = values.pop("repository_id", None)
    with platform.runtime.sessions.begin() as session:
        session.add(
            Module(
                name=name,
                primary_instance_id=ids[0],
                repository_id=repository_id,
                version="1.0.0",
                entry=entry,
            )
        )
        session.flush()
        session.add_all(_instance(name, one, entry, values) for one in ids)
    return ids


def forget_modules(platform: Platform) -> None:
    """Empty what is known of modules, and of operations on them."""
    with platform.runtime.sessions.begin() as session:
        for table in (ModuleOperation, ModuleSlot, Module, ModuleInstance, ModuleRepository):
            session.execute(delete(table))


def let_run(
    platform: Platform, name: str, ids: list[str], status: ServiceStatus = ServiceStatus.RUNNING
) -> None:
    """Let lists show the services of these instances so, as the runtime would."""
    states = {}
    for instance_id in ids:
        service = service_name(platform.settings.swarm_stack, name, instance_id)
        states[service] = ServiceState(
            service, name, instance_id, "1.0.0", status, "127.0.0.1:9", message="It said no."
        )
    watching.show(platform.runtime, states)


def _instance(
    name: str, instance_id: str, entry: Mapping[str, Any], values: Mapping[str, Any]
) -> ModuleInstance:
    written = {
        "id": instance_id,
        "module_name": name,
        "version": "1.0.0",
        "entry": dict(entry),
        "service": service_name("stellwerk", name, instance_id),
        "address": "127.0.0.1:9",
        "path": f"/nowhere/{name}_{instance_id}",
        "release": "releases/1.0.0",
        "status": "running",
        "health": "healthy",
    }
    return ModuleInstance(**{**written, **values})
