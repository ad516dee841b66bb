"""Compares what runs with what ought to: starts what is gone, stops what is not wanted.

A service that ended is started again by its runtime, within its policy. Here what the runtime gave
up is marked, with the last lines of its log, and what it lost is made anew.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from stellwerk.errors import Conflict, ProviderError
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.submission import Submission, submit
from stellwerk.modules import indices, leading, slots, telling, watching
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.orphans import busy, orphans
from stellwerk.modules.services import spec_of_row
from stellwerk.modules.states import InstanceStatus, Wanted
from stellwerk.providers.repositories.protocol import SourceKind
from stellwerk.providers.services.protocol import ServiceState, ServiceStatus
from stellwerk_workers.handlers import handles
from stellwerk_workers.modules.placing import last_lines

log = structlog.get_logger()

_CLAIM = text("""
    INSERT INTO module_operations (job_id, module_name, is_active) VALUES (:job_id, :name, true)
    ON CONFLICT (job_id) DO UPDATE SET module_name = excluded.module_name, is_active = true
""")
_RELEASE = text("UPDATE module_operations SET is_active = false WHERE job_id = :job_id")


@dataclass(slots=True)
class Findings:
    """What a reconciliation came to."""

    instances: int = 0
    changed: int = 0
    started: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    news_of: set[str] = field(default_factory=set)  # modules


@handles("modules.reconcile")
def reconcile(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Every instance of a module on which nothing else is at work."""
    del payload
    states = ctx.runtime.providers.services.states()
    with ctx.runtime.sessions() as session:
        at_work = busy(session)
        rows = list(session.scalars(select(ModuleInstance).order_by(ModuleInstance.id)))
    findings = Findings(instances=len(rows))
    for row in rows:
        ctx.check()
        if row.module_name not in at_work:
            _look_at(ctx, row, states.get(row.service), findings)
    telling.tell(ctx.runtime, *sorted(findings.news_of))
    leading.lead_soon(ctx.runtime)
    _read_old_indices(ctx)
    return {
        "instances": findings.instances,
        "changed": findings.changed,
        "started": findings.started,
        "failed": findings.failed,
        "orphans": _report_orphans(ctx, states),
    }


def _look_at(
    ctx: JobContext, row: ModuleInstance, state: ServiceState | None, findings: Findings
) -> None:
    ought_to_run = row.wanted == Wanted.RUNNING.value
    is_up = state is not None and state.status is not ServiceStatus.STOPPED
    if ought_to_run is not is_up:
        _act(ctx, row, findings)
    else:
        _note(ctx, row, state, findings)


def _act(ctx: JobContext, row: ModuleInstance, findings: Findings) -> None:
    """Make it as it ought to be, alone at work on the module; left alone where others are."""
    if not _claim(ctx, row.module_name):
        return
    try:
        _start_or_stop(ctx, row, findings)
    except ProviderError as exc:
        log.warning("an instance is not as it ought to be", service=row.service, reason=exc.message)
    finally:
        with ctx.transaction() as session:
            session.execute(_RELEASE, {"job_id": ctx.job_id})


def _start_or_stop(ctx: JobContext, row: ModuleInstance, findings: Findings) -> None:
    with ctx.transaction() as session:
        present = session.get(ModuleInstance, row.id)
        if present is None or (present.service, present.wanted) != (row.service, row.wanted):
            return  # somebody was quicker
        slot = slots.claim(session, ctx.runtime.settings, row.module_name, row.id)
        spec = spec_of_row(ctx.runtime, present, slot)
    services = ctx.runtime.providers.services
    if row.wanted == Wanted.STOPPED.value:
        services.stop(row.service)
        return
    services.create(spec)
    services.start(spec.name)
    findings.started.append(row.service)
    findings.news_of.add(row.module_name)
    log.warning("an instance was gone, and is started again", service=row.service)


def _note(
    ctx: JobContext, row: ModuleInstance, state: ServiceState | None, findings: Findings
) -> None:
    """Write down how it is, where that is news."""
    status = watching.status_of(row.wanted, state.status if state else None)
    health = watching.health_of(state.status if state else None)
    is_error = status is InstanceStatus.ERROR
    message = state.message if state and is_error else ""
    if (row.status, row.health, row.message) == (status.value, health, message):
        return
    lines = "\n".join(last_lines(ctx, row.service)) if is_error else ""
    values = {
        "status": status.value,
        "health": health,
        "message": message,
        "last_log": lines,
        "restarts": state.restarts if state else row.restarts,
        "seen_at": func.now(),
    }
    same = (
        ModuleInstance.id == row.id,
        ModuleInstance.service == row.service,
        ModuleInstance.wanted == row.wanted,
    )
    with ctx.transaction() as session:
        session.execute(update(ModuleInstance).where(*same).values(**values))
    findings.changed += 1
    findings.news_of.add(row.module_name)
    if is_error:
        findings.failed.append(row.service)
        log.error("an instance of a module is ill", service=row.service, reason=message)


def _claim(ctx: JobContext, module_name: str) -> bool:
    try:
        with ctx.transaction() as session:
            session.execute(_CLAIM, {"job_id": ctx.job_id, "name": module_name})
    except IntegrityError:
        return False
    return True


def _report_orphans(ctx: JobContext, states: Mapping[str, ServiceState]) -> list[str]:
    found = [f"{one.kind} {one.name}" for one in orphans(ctx.runtime, states)]
    if found:
        log.warning("nobody wrote these down", orphans=found)
    return found


def _read_old_indices(ctx: JobContext) -> None:
    """By jobs of their own: a repository may take its time."""
    settings = ctx.runtime.settings
    with ctx.runtime.sessions() as session:
        due = indices.stale(session, settings.module_index_ttl_s, SourceKind.HTTPS)
    for repository_id in due:
        wanted = Submission("modules.sync", {"repository_id": repository_id}, owner_id=None)
        with suppress(Conflict):  # it is under way
            submit(ctx.runtime, wanted)
