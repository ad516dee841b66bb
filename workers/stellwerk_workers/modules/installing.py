"""Installs modules, and further instances of them."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from stellwerk.errors import Conflict, ErrorCode, JobFailed
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.interruptions import HandedOver
from stellwerk.modules import given_secrets, indices, leading, resolving, service, slots, telling
from stellwerk.modules.model import Module, ModuleInstance
from stellwerk.modules.names import instance_id_of
from stellwerk.modules.resolving import Wanted
from stellwerk.modules.services import Place, sealed_secrets
from stellwerk.modules.states import InstanceStatus
from stellwerk.providers.repositories.index import dumped, loaded
from stellwerk.providers.repositories.protocol import Entry
from stellwerk_workers.handlers import handles, undoes
from stellwerk_workers.modules import placing, undoing
from stellwerk_workers.modules.placing import Found, Placing
from stellwerk_workers.modules.turns import AGAIN_AFTER_S, take_turn

INSTALL, INSTANCE = "modules.install", "modules.install_instance"


@dataclass(frozen=True, slots=True)
class Given:
    """An instance's own variables."""

    environment: dict[str, str]
    secrets: dict[str, str] = field(repr=False)

    @property
    def variables(self) -> dict[str, str]:
        """All of them."""
        return {**self.environment, **self.secrets}


@handles(INSTALL)
def install(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """What it needs first, then the module itself; in the end that is all there, or nothing of it.

    What it needs are modules of their own, each installed by a job of its own: they stay.
    """
    take_turn(ctx, payload)
    resolved = ctx.step("resolve", partial(_resolve, ctx, payload))
    needs = _install_needs(ctx, [Wanted(**need) for need in resolved["needs"]])
    registered = _place(ctx, payload, resolved)
    return {**registered, "dependencies": needs}


@handles(INSTANCE)
def install_instance(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """A copy of the release that is there, with data, variables and a service of its own."""
    take_turn(ctx, payload)
    resolved = ctx.step("resolve", partial(_resolve_instance, ctx, payload))
    return {**_place(ctx, payload, resolved), "dependencies": []}


def _place(ctx: JobContext, payload: dict[str, Any], resolved: dict[str, Any]) -> dict[str, Any]:
    found = Found.read(resolved)
    with ctx.runtime.sessions() as session:
        secrets = given_secrets.secrets_for(session, ctx.runtime.vault, ctx.job_id)
    given = Given(payload["environment"], secrets)
    addresses = Placing(ctx, found, given.variables).carry_out()
    name = found.places[0].service(ctx.runtime.settings)
    return ctx.step("register", partial(_register, ctx, found, given, addresses[name]))


def _resolve(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    wanted = service.wanted_of(payload)
    indices.refresh_stale(ctx.runtime)
    with ctx.transaction() as session:
        if session.get(Module, wanted.module_name) is not None:
            message = f"{wanted.module_name} was installed meanwhile."
            raise JobFailed(message, code=ErrorCode.MODULE_INSTALLED)
        offer = resolving.find(session, wanted)
        source = indices.source_of(indices.repository(session, offer.repository_id))
        indices.require_signed(ctx.runtime, source)
        needs = resolving.missing(session, offer)
        place = _new_place(ctx, session, offer.entry)
    found = placing.found_of(offer, place)
    stored_needs = [
        {
            "module_name": need.module_name,
            "version": need.version,
            "repository_id": need.repository_id,
        }
        for need in needs
    ]
    return {**found.stored(), "needs": stored_needs}


def _resolve_instance(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    name = payload["module_name"]
    with ctx.transaction() as session:
        module = service.installed(session, name)
        present = service.instance(session, name, module.primary_instance_id)
        release = f"{present.path}/{present.release}"
        entry = loaded(present.entry)
        place = _new_place(ctx, session, entry)
        repository_id = module.repository_id
    return Found(entry, repository_id, (place,), copied_from=release).stored()


def _new_place(ctx: JobContext, session: Any, entry: Entry) -> Place:
    instance_id = instance_id_of(ctx.job_id)
    slot = slots.claim(session, ctx.runtime.settings, entry.name, instance_id)
    return Place(entry.name, instance_id, slot, 1, release_name(ctx, entry))


def release_name(ctx: JobContext, entry: Entry) -> str:
    """The folder of a version, which no earlier job can have left."""
    return f"releases/{entry.version}-{ctx.job_id.hex[-8:]}"


def _install_needs(ctx: JobContext, needs: list[Wanted]) -> list[str]:
    """One after another, since each may need those before it; returns their names."""
    for need in needs:
        payload = {
            "module_name": need.module_name,
            "version": need.version,
            "repository_id": need.repository_id,
        }
        try:
            ctx.submit_child(INSTALL, payload, key=need.module_name)
        except Conflict as exc:
            if exc.code is ErrorCode.MODULE_INSTALLED:
                continue
            raise HandedOver(f"{need.module_name} is needed. {exc.message}", AGAIN_AFTER_S) from exc
        ctx.wait_children([need.module_name])
    return [need.module_name for need in needs]


def _register(ctx: JobContext, found: Found, given: Given, address: str) -> dict[str, Any]:
    place = found.places[0]
    with ctx.transaction() as session:
        if session.get(ModuleInstance, place.instance_id) is None:
            if ctx.claimed.operation.name == INSTALL:
                service.require_needs(session, found.entry)
                session.add(_module(found))
                session.flush()
            session.add(_instance(ctx, found, given, address))
    placing.passed(ctx, "register")
    leading.lead_soon(ctx.runtime)
    telling.tell(ctx.runtime, place.module_name)
    return {
        "module_name": place.module_name,
        "version": found.entry.version,
        "instance_id": place.instance_id,
        "frontend_url": f"/{place.module_name}/",
    }


def _module(found: Found) -> Module:
    return Module(
        name=found.entry.name,
        primary_instance_id=found.places[0].instance_id,
        repository_id=found.repository_id,
        version=found.entry.version,
        entry=dumped(found.entry),
    )


def _instance(ctx: JobContext, found: Found, given: Given, address: str) -> ModuleInstance:
    place, settings = found.places[0], ctx.runtime.settings
    return ModuleInstance(
        id=place.instance_id,
        module_name=place.module_name,
        version=found.entry.version,
        entry=dumped(found.entry),
        generation=place.generation,
        service=place.service(settings),
        address=address,
        path=str(place.path(settings)),
        release=place.release,
        environment=given.environment,
        secrets=sealed_secrets(ctx.runtime.vault, place.instance_id, given.secrets),
        status=InstanceStatus.RUNNING.value,
        health="healthy",
    )


# Rolling back, in the order in which it is done


def _unregister(ctx: JobContext, output: Any) -> None:
    del output
    with ctx.transaction() as session:
        row = session.get(ModuleInstance, instance_id_of(ctx.job_id))
        if row is not None and ctx.claimed.operation.name == INSTALL:
            service.forget_module(session, row.module_name)
        elif row is not None:
            session.delete(row)
    leading.lead_soon(ctx.runtime)
    found = undoing.found_again(ctx)
    if found:
        telling.tell(ctx.runtime, found.entry.name, removed=[instance_id_of(ctx.job_id)])


def _remove_service(ctx: JobContext, output: Any) -> None:
    del output
    found = undoing.found_again(ctx)
    if found:
        undoing.undo_services(ctx, found)


def _give_place_back(ctx: JobContext, output: Any) -> None:
    del output
    undoing.undo_slot(ctx, instance_id_of(ctx.job_id))


for _operation in (INSTALL, INSTANCE):
    undoes(_operation, "register")(_unregister)
    undoes(_operation, "create service")(_remove_service)
    undoes(_operation, "resolve")(_give_place_back)
    undoing.undo_the_rest(_operation)
