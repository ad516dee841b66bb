"""Updates modules: new services beside the old ones, and instead of them once all are healthy."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from stellwerk.errors import ErrorCode, JobFailed
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.interruptions import Cancelled
from stellwerk.modules import indices, leading, resolving, service, slots, telling
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.services import Place
from stellwerk.modules.states import InstanceStatus
from stellwerk.modules.states import Wanted as WantedState
from stellwerk.providers.repositories.index import dumped
from stellwerk.providers.repositories.protocol import Entry
from stellwerk.providers.services.removal import remove_tree
from stellwerk_workers.handlers import handles, undoes
from stellwerk_workers.modules import placing, undoing
from stellwerk_workers.modules.installing import release_name
from stellwerk_workers.modules.placing import Found, Placing
from stellwerk_workers.modules.turns import take_turn

UPDATE = "modules.update"

_OF_MODULE = ("version", "entry", "repository_id")
_OF_INSTANCE = ("version", "entry", "generation", "service", "address", "release")


@handles(UPDATE)
def update(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Until the switch nothing of what serves is touched; after it only the new versions serve."""
    take_turn(ctx, payload)
    resolved = ctx.step("resolve", partial(_resolve, ctx, payload))
    found = Found.read(resolved)
    addresses = Placing(ctx, found).carry_out()
    ctx.step("switch", partial(_switch, ctx, resolved, addresses))
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
        offer = resolving.find(session, wanted)
        service.refuse_update(session, module, wanted, offer)
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
        origin = {name: getattr(module, name) for name in _OF_MODULE}
        return {
            **found.stored(),
            "before": {"module": origin, "instances": [_facts(row) for row in rows]},
            "from_version": module.version,
        }


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


def _facts(row: ModuleInstance) -> dict[str, Any]:
    """An instance as it is before the update."""
    return {"id": row.id, "path": row.path} | {name: getattr(row, name) for name in _OF_INSTANCE}


def _switch(ctx: JobContext, resolved: dict[str, Any], addresses: dict[str, str]) -> None:
    """Write all of it down at once, lead to it, and then end what was replaced.

    One step: from its first moment on going forward is the shorter way, so that a cancel comes too
    late. Raises ProviderUnavailable; nothing old ends before the gateway leads to what is new.
    """
    found = Found.read(resolved)
    with ctx.transaction() as session:
        module = service.installed(session, found.entry.name, locked=True)
        module.version, module.entry = found.entry.version, dumped(found.entry)
        module.repository_id = found.repository_id
        for place in found.places + found.resting:
            row = service.instance(session, module.name, place.instance_id)
            _switch_row(ctx, row, found, place)
            row.address = addresses.get(row.service, row.address)
    placing.passed(ctx, "switch")
    leading.lead(ctx.runtime)
    telling.tell(ctx.runtime, found.entry.name)
    _retire(ctx, resolved["before"]["instances"])


def _switch_row(ctx: JobContext, row: ModuleInstance, found: Found, place: Place) -> None:
    row.version, row.entry = found.entry.version, dumped(found.entry)
    row.generation, row.release = place.generation, place.release
    row.service = place.service(ctx.runtime.settings)
    if place in found.places:
        row.status, row.health = InstanceStatus.RUNNING.value, "healthy"
        row.message = row.last_log = ""


def _retire(ctx: JobContext, before: Sequence[Mapping[str, Any]]) -> None:
    """End what was replaced, once it has had time to end its answers."""
    services = ctx.runtime.providers.services
    if any(services.state(one["service"]) for one in before):
        _rest(ctx, ctx.runtime.settings.module_drain_s)
    for one in before:
        services.remove(one["service"])
        placing.passed(ctx, "retire")
        remove_tree(Path(one["path"]) / one["release"])


def _rest(ctx: JobContext, seconds: float) -> None:
    try:
        ctx.sleep(seconds)
    except Cancelled:
        Event().wait(seconds)


# Rolling back. What was switched is switched back, as long as all that served before is there.


def _switch_back(ctx: JobContext, output: Any) -> None:
    del output
    found, before = undoing.found_again(ctx), _before(ctx)
    if before is None or found is None or not _is_all_there(ctx, found, before["instances"]):
        return
    with ctx.transaction() as session:
        module = service.installed(session, found.entry.name, locked=True)
        for name in _OF_MODULE:
            setattr(module, name, before["module"][name])
        for one in before["instances"]:
            row = service.instance(session, module.name, one["id"])
            for name in _OF_INSTANCE:
                setattr(row, name, one[name])
    leading.lead(ctx.runtime)
    telling.tell(ctx.runtime, found.entry.name)


def _is_all_there(ctx: JobContext, found: Found, before: Sequence[Mapping[str, Any]]) -> bool:
    """Whether nothing of what ran before, nor of its files, was removed yet."""
    states = ctx.runtime.providers.services.states()
    running = {place.instance_id for place in found.places}
    return all(
        (one["id"] not in running or one["service"] in states)
        and (Path(one["path"]) / one["release"]).exists()
        for one in before
    )


def _remove_services(ctx: JobContext, output: Any) -> None:
    """The new ones; the old ones where these are gone in part, so that the update stands."""
    del output
    found, before = undoing.found_again(ctx), _before(ctx)
    if found is None or before is None:
        return
    undoing.undo_services(ctx, found)
    with ctx.runtime.sessions() as session:
        present = {row.service for row in service.instances(session, found.entry.name)}
    if not present & {one["service"] for one in before["instances"]}:
        ctx.log("the update was complete but for the end of what it replaced: it stands")
        leading.lead(ctx.runtime)
        _retire(ctx, before["instances"])


def _before(ctx: JobContext) -> dict[str, Any] | None:
    known = ctx.recorded("resolve")
    return known.output["before"] if known and known.output else None


undoes(UPDATE, "switch")(_switch_back)
undoes(UPDATE, "create service")(_remove_services)
undoes(UPDATE, "resolve")(undoing.look_again)
undoing.undo_the_rest(UPDATE)
