"""Makes an instance as it ought to be: starts what is gone, stops what is not wanted.

What goes again and again, though it is started, is given up as its runtime would give it up:
after as many times in a row as its policy allows.
"""

import structlog
from sqlalchemy import update

from stellwerk.clock import utc_now
from stellwerk.errors import Conflict
from stellwerk.jobs.context import JobContext
from stellwerk.modules import slots
from stellwerk.modules.claims import give_back, take
from stellwerk.modules.model import ModuleInstance
from stellwerk.modules.services import spec_of_row
from stellwerk.modules.states import Wanted
from stellwerk.providers.services.protocol import RestartPolicy, ServiceState, ServiceStatus

POLICY = RestartPolicy()

log = structlog.get_logger()


def is_gone(row: ModuleInstance, state: ServiceState | None) -> bool:
    """Whether it ought to run, and nothing of it does."""
    is_up = state is not None and state.status is not ServiceStatus.STOPPED
    return row.wanted == Wanted.RUNNING.value and not is_up


def is_unwanted(row: ModuleInstance, state: ServiceState | None) -> bool:
    """Whether it runs, and ought not to."""
    is_up = state is not None and state.status is not ServiceStatus.STOPPED
    return row.wanted == Wanted.STOPPED.value and is_up


def is_given_up(row: ModuleInstance) -> bool:
    """Whether it was started as often as its policy allows; a person may start it again."""
    return row.revivals >= POLICY.attempts


def is_steady(state: ServiceState | None) -> bool:
    """Whether it has been healthy for so long that its starts count anew."""
    if state is None or state.status is not ServiceStatus.RUNNING:
        return False
    at = state.started_at
    return at is None or (utc_now() - at).total_seconds() >= POLICY.steady_s


def revive(ctx: JobContext, row: ModuleInstance) -> bool:
    """Start or stop it, alone at work on its module; returns whether it was started.

    Nothing is done where others are at work on the module. Raises StellwerkError.
    """
    if not _claim(ctx, row.module_name):
        return False
    try:
        return _start_or_stop(ctx, row)
    finally:
        with ctx.transaction() as session:
            give_back(session, ctx.job_id)


def count_anew(ctx: JobContext, row: ModuleInstance) -> None:
    """It is healthy, and stays so."""
    mine = ModuleInstance.id == row.id
    with ctx.transaction() as session:
        session.execute(update(ModuleInstance).where(mine).values(revivals=0))


def _claim(ctx: JobContext, module_name: str) -> bool:
    try:
        with ctx.transaction() as session:
            take(session, ctx.job_id, module_name)
    except Conflict:
        return False
    return True


def _start_or_stop(ctx: JobContext, row: ModuleInstance) -> bool:
    services = ctx.runtime.providers.services
    with ctx.transaction() as session:
        present = session.get(ModuleInstance, row.id)
        if present is None or (present.service, present.wanted) != (row.service, row.wanted):
            return False  # somebody was quicker
        if row.wanted == Wanted.RUNNING.value:
            slot = slots.claim(session, ctx.runtime.settings, row.module_name, row.id)
            spec = spec_of_row(ctx.runtime, present, slot)
    if row.wanted == Wanted.STOPPED.value:
        services.stop(row.service)
        return False
    services.create(spec)
    services.start(spec.name)
    _count(ctx, row)
    log.warning("an instance was gone, and is started again", service=row.service)
    return True


def _count(ctx: JobContext, row: ModuleInstance) -> None:
    """What could not even be started does not count: whoever mends that has it run by itself."""
    mine = (ModuleInstance.id == row.id, ModuleInstance.service == row.service)
    with ctx.transaction() as session:
        more = update(ModuleInstance).where(*mine).values(revivals=ModuleInstance.revivals + 1)
        session.execute(more)
