"""Waits until services are healthy, and says why one is not."""

import time
from collections.abc import Collection, Sequence

from stellwerk.errors import ErrorCode, JobFailed, NotFound, ProviderError
from stellwerk.jobs.context import JobContext
from stellwerk.providers.services.protocol import ServiceState, ServiceStatus

LOOK_EVERY_S = 0.2
LOG_LINES = 20
MOST_RESTARTS = 3  # of what is being installed: it will not do better later


def await_health(ctx: JobContext, names: Collection[str]) -> dict[str, str]:
    """Wait until services are healthy; returns their addresses.

    Raises JobFailed (MODULE_UNHEALTHY) for the first that is not, with the end of its log.
    """
    within_s = ctx.runtime.settings.module_health_within_s
    until = time.monotonic() + within_s
    while True:
        states = ctx.runtime.providers.services.states()
        known = [states[name] for name in names if name in states]
        _refuse_fallen(ctx, known)
        healthy = [state for state in known if state.status is ServiceStatus.RUNNING]
        if len(healthy) == len(names):
            return {state.name: state.address for state in healthy}
        if time.monotonic() > until:
            waiting = [state for state in known if state not in healthy]
            raise _unhealthy(ctx, waiting, f"is not healthy after {within_s:g} s")
        ctx.progress(len(healthy) / len(names), f"{len(healthy)} of {len(names)} healthy")
        ctx.sleep(LOOK_EVERY_S)


def _refuse_fallen(ctx: JobContext, states: Sequence[ServiceState]) -> None:
    ill = (ServiceStatus.FAILED, ServiceStatus.UNHEALTHY, ServiceStatus.STOPPED)
    fallen = [state for state in states if state.status in ill]
    if fallen:
        raise _unhealthy(ctx, fallen, f"is {fallen[0].status}")
    ending = [state for state in states if state.restarts >= MOST_RESTARTS]
    if ending:
        raise _unhealthy(ctx, ending, "ends again and again")


def _unhealthy(ctx: JobContext, states: Sequence[ServiceState], how: str) -> JobFailed:
    if not states:
        message = f"The service {how}: the runtime knows nothing of it."
        return JobFailed(message, code=ErrorCode.MODULE_UNHEALTHY)
    state = states[0]
    why = f" ({state.message})" if state.message else ""
    lines = last_lines(ctx, state.name)
    message = f"{state.module_name} {state.version} {how}{why}."
    details = {"service": state.name, "log": lines}
    return JobFailed(message, code=ErrorCode.MODULE_UNHEALTHY, details=details)


def last_lines(ctx: JobContext, name: str) -> list[str]:
    """The end of a service's log; nothing where it has none, or cannot be read."""
    try:
        return list(ctx.runtime.providers.services.logs(name, tail=LOG_LINES).lines)
    except (NotFound, ProviderError):
        return []
