"""Starts, stops and restarts instances."""

from typing import Any

from stellwerk.jobs.context import JobContext
from stellwerk.modules import leading, service, slots, telling
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.services import spec_of_row
from stellwerk.modules.states import InstanceStatus, Wanted
from stellwerk.providers.services.protocol import ServiceSpec
from stellwerk_workers.handlers import handles
from stellwerk_workers.modules.health import await_health
from stellwerk_workers.modules.placing import create
from stellwerk_workers.modules.turns import take_turn


@handles("modules.start")
def start(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """As it is written down, with its present variables."""
    spec = _intend(ctx, payload, Wanted.RUNNING)
    create(ctx, spec)
    ctx.runtime.providers.services.start(spec.name)
    return _running(ctx, payload, spec)


@handles("modules.restart")
def restart(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """The same for one that runs; new variables are new to its service, which is made anew then."""
    spec = _intend(ctx, payload, Wanted.RUNNING)
    services = ctx.runtime.providers.services
    before = services.state(spec.name)
    create(ctx, spec)
    present = services.state(spec.name)
    if before and present and before.started_at == present.started_at:
        services.restart(spec.name)
    return _running(ctx, payload, spec)


@handles("modules.stop")
def stop(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Nobody is led there before it ends."""
    spec = _intend(ctx, payload, Wanted.STOPPED)
    leading.lead_soon(ctx.runtime)
    if ctx.runtime.providers.services.state(spec.name) is not None:
        ctx.runtime.providers.services.stop(spec.name)
    return _noted(ctx, payload, InstanceStatus.STOPPED, "unknown")


def _intend(ctx: JobContext, payload: dict[str, Any], wanted: Wanted) -> ServiceSpec:
    take_turn(ctx, payload)
    with ctx.transaction() as session:
        row = _row(session, payload)
        row.wanted, row.revivals = wanted.value, 0
        slot = slots.claim(session, ctx.runtime.settings, row.module_name, row.id)
        return spec_of_row(ctx.runtime, row, slot)


def _running(ctx: JobContext, payload: dict[str, Any], spec: ServiceSpec) -> dict[str, Any]:
    addresses = await_health(ctx, [spec.name])
    with ctx.transaction() as session:
        _row(session, payload).address = addresses[spec.name]
    leading.lead_soon(ctx.runtime)
    return _noted(ctx, payload, InstanceStatus.RUNNING, "healthy")


def _noted(
    ctx: JobContext, payload: dict[str, Any], status: InstanceStatus, health: str
) -> dict[str, Any]:
    with ctx.transaction() as session:
        row = _row(session, payload)
        row.status, row.health = status.value, health
        row.message = row.last_log = ""
    telling.tell(ctx.runtime, payload["module_name"])
    return {**payload, "status": status.value}


def _row(session: Any, payload: dict[str, Any]) -> ModuleInstance:
    return service.instance(session, payload["module_name"], payload["instance_id"])
