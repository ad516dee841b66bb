"""Compares what runs with what ought to: starts what is gone, stops what is not wanted.

A service that ended is started again by its runtime, within its policy. Here what the runtime gave
up is marked, with the last lines of its log, and what it lost is made anew.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import func, select, update

from stellwerk.errors import Conflict, ProviderError, StellwerkError
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.submission import Submission, submit
from stellwerk.modules import indices, leading, telling, watching
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.orphans import busy, orphans
from stellwerk.modules.states import InstanceStatus, Wanted
from stellwerk.providers.services.protocol import ServiceState
from stellwerk_workers.handlers import handles
from stellwerk_workers.modules.health import last_lines
from stellwerk_workers.modules.reviving import (
    count_anew,
    is_given_up,
    is_gone,
    is_steady,
    is_unwanted,
    revive,
)

log = structlog.get_logger()


@dataclass(slots=True)
class Findings:
    """What a reconciliation came to."""

    instances: int = 0
    changed: int = 0
    started: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    news_of: set[str] = field(default_factory=set)  # modules


@dataclass(frozen=True, slots=True)
class Condition:
    """How an instance is; `restarts` None: as before."""

    status: InstanceStatus
    health: str
    message: str = ""
    restarts: int | None = None


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
    """One instance; what cannot be done with it keeps nobody from the others."""
    try:
        if is_unwanted(row, state) or (is_gone(row, state) and not is_given_up(row)):
            _revive(ctx, row, findings)
        else:
            _note(ctx, row, state, findings)
    except StellwerkError as exc:
        log.warning("an instance is not as it ought to be", service=row.service, reason=exc.message)
        if row.wanted == Wanted.RUNNING.value:
            _write(ctx, row, Condition(InstanceStatus.ERROR, "unknown", exc.message), findings)


def _revive(ctx: JobContext, row: ModuleInstance, findings: Findings) -> None:
    if revive(ctx, row):
        findings.started.append(row.service)
        findings.news_of.add(row.module_name)


def _note(
    ctx: JobContext, row: ModuleInstance, state: ServiceState | None, findings: Findings
) -> None:
    if row.revivals and is_steady(state):
        count_anew(ctx, row)
    seen = state.status if state else None
    status = watching.status_of(row.wanted, seen)
    message = _reason(row, state) if status is InstanceStatus.ERROR else ""
    restarts = state.restarts if state else row.restarts
    found = Condition(status, watching.health_of(seen), message, restarts)
    _write(ctx, row, found, findings)


def _reason(row: ModuleInstance, state: ServiceState | None) -> str:
    told = state.message if state else watching.LOST
    if is_gone(row, state):
        return f"It was started again {row.revivals} times, and was gone each time. {told}".strip()
    return told


def _write(ctx: JobContext, row: ModuleInstance, found: Condition, findings: Findings) -> None:
    """Write down how it is, where that is news."""
    if (row.status, row.health, row.message) == (found.status.value, found.health, found.message):
        return
    is_error = found.status is InstanceStatus.ERROR
    values = {
        "status": found.status.value,
        "health": found.health,
        "message": found.message,
        "last_log": "\n".join(last_lines(ctx, row.service)) if is_error else "",
        "restarts": row.restarts if found.restarts is None else found.restarts,
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
        log.error("an instance of a module is ill", service=row.service, reason=found.message)


def _report_orphans(ctx: JobContext, states: Mapping[str, ServiceState]) -> list[str]:
    try:
        found = [f"{one.kind} {one.name}" for one in orphans(ctx.runtime, states)]
    except ProviderError as exc:
        log.warning("nobody looked for orphans", reason=exc.message)
        return []
    if found:
        log.warning("nobody wrote these down", orphans=found)
    return found


def _read_old_indices(ctx: JobContext) -> None:
    """By jobs of their own: a repository may take its time."""
    settings = ctx.runtime.settings
    with ctx.runtime.sessions() as session:
        due = indices.stale(session, settings.module_index_ttl_s)
    for repository_id in due:
        wanted = Submission("modules.sync", {"repository_id": repository_id}, owner_id=None)
        with suppress(Conflict):  # it is under way
            submit(ctx.runtime, wanted)
