"""Removes modules, and single instances of them: forward only, whatever is interrupted."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stellwerk.jobs.context import JobContext
from stellwerk.modules import leading, resolving, service, telling
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.schemas import Data
from stellwerk.modules.states import Wanted
from stellwerk.providers.services.place import modules_dir
from stellwerk.providers.services.removal import remove_tree
from stellwerk_workers.handlers import handles
from stellwerk_workers.modules.placing import passed
from stellwerk_workers.modules.turns import take_turn

TEMPORARY = "tmp"  # in the data: its TMPDIR where it has no /tmp of its own
KEPT = ".kept"  # below the folder of modules: data of what was removed


@handles("modules.uninstall")
def uninstall(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """All instances, then their files, then the module."""
    take_turn(ctx, payload)
    name = payload["module_name"]
    gone = ctx.step("close", partial(_close_module, ctx, name))
    return _remove(ctx, payload, gone)


@handles("modules.remove_instance")
def remove_instance(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """One instance, with its files."""
    take_turn(ctx, payload)
    gone = ctx.step("close", partial(_close_instance, ctx, payload))
    return _remove(ctx, payload, gone)


def _close_module(ctx: JobContext, name: str) -> list[dict[str, str]]:
    """From now on nobody is led there; raises Conflict where another module needs it by now."""
    with ctx.transaction() as session:
        service.installed(session, name, locked=True)
        resolving.refuse_needed(session, name)
        gone = _closed(service.instances(session, name))
    leading.lead_soon(ctx.runtime)
    return gone


def _close_instance(ctx: JobContext, payload: dict[str, Any]) -> list[dict[str, str]]:
    name, instance_id = payload["module_name"], payload["instance_id"]
    with ctx.transaction() as session:
        service.installed(session, name, locked=True)
        row = service.instance(session, name, instance_id)
        service.refuse_primary(session, name, instance_id)
        return _closed([row])


def _closed(rows: Sequence[ModuleInstance]) -> list[dict[str, str]]:
    for row in rows:
        row.wanted = Wanted.STOPPED.value
    return [{"id": row.id, "service": row.service, "path": row.path} for row in rows]


def _remove(ctx: JobContext, payload: dict[str, Any], gone: list[dict[str, str]]) -> dict[str, Any]:
    ctx.step("remove services", partial(_remove_services, ctx, gone))
    kept = ctx.step("remove files", partial(_remove_files, ctx, payload, gone))
    ids = [one["id"] for one in gone]
    return {"module_name": payload["module_name"], "instances": ids, "kept": kept}


def _remove_services(ctx: JobContext, gone: list[dict[str, str]]) -> None:
    for number, one in enumerate(gone, start=1):
        ctx.runtime.providers.services.remove(one["service"])
        passed(ctx, "remove services")
        ctx.progress(number / len(gone), f"{number} of {len(gone)} services removed")


def _remove_files(
    ctx: JobContext, payload: dict[str, Any], gone: list[dict[str, str]]
) -> list[str]:
    """The rows first: a folder without a row is reported, a row without a folder misleads."""
    with ctx.transaction() as session:
        if ctx.claimed.operation.name == "modules.uninstall":
            service.forget_module(session, payload["module_name"])
        else:
            service.forget_instance(session, payload["instance_id"])
    removed = [one["id"] for one in gone]
    telling.tell(ctx.runtime, payload["module_name"], removed=removed)
    passed(ctx, "remove files")
    kept = []
    for one in gone:
        path = Path(one["path"])
        if payload["data"] == Data.KEEP.value:
            kept += _kept(ctx, path)
        remove_tree(path)
    return kept


def _kept(ctx: JobContext, path: Path) -> list[str]:
    """Where the data of an instance are from now on, if it has any."""
    target = modules_dir(ctx.runtime.settings) / KEPT / path.name
    data = path / "data"
    remove_tree(data / TEMPORARY)
    if data.is_dir() and any(data.iterdir()):
        target.parent.mkdir(mode=0o700, exist_ok=True)
        data.rename(target)
    return [str(target)] if target.exists() else []
