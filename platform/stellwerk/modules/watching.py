"""What services do, as lists show it: asked of the runtime at most once in a few seconds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from stellwerk.clock import rfc3339
from stellwerk.errors import ProviderError
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules.states import InstanceStatus, Wanted
from stellwerk.providers.services.protocol import ServiceState, ServiceStatus

KIND, NAME = "module-services", "all"
_HEALTH = {
    ServiceStatus.STARTING: "starting",
    ServiceStatus.RUNNING: "healthy",
    ServiceStatus.UNHEALTHY: "unhealthy",
    ServiceStatus.STOPPED: "unknown",
    ServiceStatus.FAILED: "unhealthy",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A service, as it was at most a few seconds ago."""

    status: ServiceStatus
    address: str
    restarts: int
    message: str
    started_at: str | None


def seen(runtime: Runtime, services: Collection[str] = ()) -> Mapping[str, Seen] | None:
    """All services by name; None where the runtime does not answer.

    It is asked at once where one of `services` is not among those that were there lately.
    """
    held = runtime.copies.read(KIND, NAME)
    if held is not None:
        known = orjson.loads(held)
        if known.keys() >= set(services):
            return {name: Seen(ServiceStatus(one[0]), *one[1:]) for name, one in known.items()}
    return look(runtime)


def look(runtime: Runtime) -> Mapping[str, Seen] | None:
    """Ask the runtime now, and let lists show that; None where it does not answer."""
    try:
        return show(runtime, runtime.providers.services.states())
    except ProviderError:
        return None


def show(runtime: Runtime, states: Mapping[str, ServiceState]) -> Mapping[str, Seen]:
    """Let lists show these from now on."""
    found = {name: _seen(state) for name, state in states.items()}
    content = {
        name: (one.status.value, one.address, one.restarts, one.message, one.started_at)
        for name, one in found.items()
    }
    ttl_s = runtime.settings.module_status_ttl_s
    runtime.copies.put(KIND, NAME, orjson.dumps(content), ttl_s=ttl_s)
    return found


def _seen(state: ServiceState) -> Seen:
    started: datetime | None = state.started_at
    at = rfc3339(started) if started else None
    return Seen(state.status, state.address, state.restarts, state.message, at)


def status_of(wanted: str, seen_status: ServiceStatus | None) -> InstanceStatus:
    """What an instance is, from what it ought to be and what its service does."""
    if wanted == Wanted.STOPPED.value:
        return InstanceStatus.STOPPED
    if seen_status is ServiceStatus.RUNNING:
        return InstanceStatus.RUNNING
    if seen_status is ServiceStatus.STARTING:
        return InstanceStatus.INSTALLED
    return InstanceStatus.ERROR


def health_of(seen_status: ServiceStatus | None) -> str:
    """healthy, starting, unhealthy, or unknown."""
    return _HEALTH[seen_status] if seen_status else "unknown"
