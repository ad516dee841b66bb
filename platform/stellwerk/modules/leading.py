"""Leads the addresses of modules to their primary instances."""

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from stellwerk.errors import ProviderError
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules.model import Module, ModuleInstance
from stellwerk.modules.states import Wanted
from stellwerk.providers.gateway.protocol import Routes

log = structlog.get_logger()


def routes(session: Session) -> Routes:
    """Where each module is reached: its primary instance, where that ought to run."""
    query = (
        select(Module.name, ModuleInstance.address)
        .join(ModuleInstance, ModuleInstance.id == Module.primary_instance_id)
        .where(ModuleInstance.wanted == Wanted.RUNNING.value)
    )
    return {row.name: row.address for row in session.execute(query)}


def lead(runtime: Runtime) -> bool:
    """Make the gateway lead as the ledger says; returns whether it had to be changed.

    Raises ProviderUnavailable where it does not answer.
    """

    def read() -> Routes:
        with runtime.sessions() as session:
            return routes(session)

    return runtime.providers.gateway.apply(read)


def lead_soon(runtime: Runtime) -> None:
    """The same, left to the next reconciliation where the gateway does not answer now."""
    try:
        lead(runtime)
    except ProviderError as exc:
        log.warning("modules are led later", reason=exc.message)
