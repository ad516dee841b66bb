"""Updates modules: new services beside the old ones, and instead of them once all are healthy."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stellwerk.errors import ErrorCode, JobFailed
from stellwerk.jobs.context import JobContext
from stellwerk.modules import indices, leading, resolving, service, slots, telling
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.services import Place
from stellwerk.modules.states import InstanceStatus
from stellwerk.modules.states import Wanted as WantedState
from stellwerk.providers.repositories.index import dumped
from stellwerk.providers.repositories.protocol import Entry
from stellwerk_workers.handlers import handles, undoes
from stellwerk_workers.modules import placing
from stellwerk_workers.modules.installing import release_name
from stellwerk_workers.modules.placing import Found, Placing

UPDATE = "modules.update"


@handles(UPDATE)
def update(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Until the switch nothing of what serves is touched; after it only the new versions serve."""
    resolved = ctx.step("resolve", partial(_resolve, ctx, payload))
    found = Found.read(resolved)
    addresses = Placing(ctx, found).carry_out()
    ctx.step("switch", partial(_switch, ctx, found, addresses))
    ctx.step("retire", partial(_retire, ctx, resolved["before"]))
    return {
        "module_name": found.entry.name,
        "from_version": resolved["from_version"],
        "version": found.entry.version,
        "instances": len(found.places) + len(found.resting),
    }


def _resolve(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    indices.refresh_stale(ctx.runtime)
    with ctx.transaction() as session:
        module = service.installed(session, payload["module_name"])
        wanted = service.wanted_of(payload, module)
        offer = resolving.choose(indices.offers(session), wanted)
        service.refuse_same(module, offer)
        source = indices.source_of(indices.repository(session, offer.repository_id))
        indices.require_signed(ctx.runtime, source)
        needs = resolving.missing(session, offer)
        if needs:
            names = ", ".join(need.module_name for need in needs)
            message = f"{module.name} {offer.entry.version} needs {names}. Install these first."
            raise JobFailed(message, code=ErrorCode.MODULE_NEEDED)
        rows = service.instances(session, module.name)
        running = [row for row in rows if row.wanted == WantedState.RUNNING.value]
        resting = [row for row in rows if row.wanted != WantedState.RUNNING.value]
        found = Found(
            offer.entry,
            offer.repository_id,
            _places(ctx, session, offer.entry, running),
            _places(ctx, session, offer.entry, resting),
        )
        before = [{"service": row.service, "folder": f"{row.path}/{row.release}"} for row in rows]
        return {**found.stored(), "before": before, "from_version": module.version}


def _places(
    ctx: JobContext, session: Any, entry: Entry, rows: Sequence[ModuleInstance]
) -> tuple[Place, ...]:
    return tuple(
        Place(
            row.module_name,
            row.id,
            slots.claim(session, ctx.runtime.settings, row.module_name, row.id),
            row.generation + 1,
            release_name(ctx, entry),
        )
        for row in rows
    )


def _switch(ctx: JobContext, found: Found, addresses: dict[str, str]) -> None:
    """Write all of it down at once, then lead to it; raises ProviderUnavailable.

    Nothing old ends before the gateway leads to what is new.
    """
    settings = ctx.runtime.settings
    with ctx.transaction() as session:
        module = service.installed(session, found.entry.name, locked=True)
        module.version, module.entry = found.entry.version, dumped(found.entry)
        module.repository_id = found.repository_id
        for place in found.places + found.resting:
            row = service.instance(session, module.name, place.instance_id)
            row.version, row.entry = found.entry.version, dumped(found.entry)
            row.generation, row.release = place.generation, place.release
            row.service = place.service(settings)
            row.address = addresses.get(row.service, row.address)
            if row.service in addresses:
                row.status, row.health = InstanceStatus.RUNNING.value, "healthy"
                row.message = ""
    placing.passed(ctx, "switch")
    leading.lead(ctx.runtime)
    telling.tell(ctx.runtime, found.entry.name)


def _retire(ctx: JobContext, before: list[dict[str, str]]) -> None:
    """End what was replaced, once it has had time to end its answers."""
    if any(_is_there(ctx, one["service"]) for one in before):
        ctx.sleep(ctx.runtime.settings.module_drain_s)
    for one in before:
        ctx.runtime.providers.services.remove(one["service"])
        placing.passed(ctx, "retire")
        shutil.rmtree(Path(one["folder"]), ignore_errors=True)


def _is_there(ctx: JobContext, name: str) -> bool:
    return ctx.runtime.providers.services.state(name) is not None


# Rolling back. Where the switch was written down already, the old ones go instead of the new.


def _remove_services(ctx: JobContext, output: Any) -> None:
    del output
    found, before = placing.found_again(ctx), _before(ctx)
    if found is None:
        return
    placing.undo_services(ctx, found)
    with ctx.runtime.sessions() as session:
        rows = {row.service for row in service.instances(session, found.entry.name)}
    if before and not rows & {one["service"] for one in before}:
        leading.lead(ctx.runtime)
        _retire(ctx, before)


def _remove_folders(ctx: JobContext, output: Any) -> None:
    del output
    found = placing.found_again(ctx)
    if found:
        placing.undo_folders(ctx, found)


def _remove_archive(ctx: JobContext, output: Any) -> None:
    del output
    placing.undo_staging(ctx)


def _nothing_was_made(ctx: JobContext, output: Any) -> None:
    """The places are those of instances that are there."""
    del ctx, output


def _before(ctx: JobContext) -> list[dict[str, str]]:
    known = ctx.recorded("resolve")
    return known.output["before"] if known and known.output else []


undoes(UPDATE, "create service")(_remove_services)
undoes(UPDATE, "unpack")(_remove_folders)
undoes(UPDATE, "download")(_remove_archive)
undoes(UPDATE, "resolve")(_nothing_was_made)
