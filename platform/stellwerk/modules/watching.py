"""What services do, as lists show it: asked of the runtime at most once in a few seconds."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from stellwerk.clock import rfc3339
from stellwerk.errors import ProviderError, ProviderUnavailable
from stellwerk.jobs.runtime import Runtime
from stellwerk.modules.states import InstanceStatus, Wanted
from stellwerk.providers.services.protocol import ServiceState, ServiceStatus

KIND, NAME = "module-services", "all"
LOST = "The runtime knows nothing of its service."
MISSING_S = 1.0  # between two questions for a service that is not there
SILENT_S = 60.0  # for so long it is known that the runtime did not answer
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


@dataclass(frozen=True, slots=True)
class Known:
    """What the runtime last said, and when (s since 1970); `services` None: it did not answer."""

    at: float
    services: Mapping[str, Seen] | None
    reason: str = ""  # why it did not answer

    @property
    def age_s(self) -> float:
        """How old that is, as far as this machine's clock agrees with that of who asked."""
        return abs(time.time() - self.at)


def seen(runtime: Runtime, services: Collection[str] = ()) -> Mapping[str, Seen] | None:
    """All services by name; None where the runtime does not answer.

    It is asked sooner where one of `services` is not among those that were there lately, though
    not more than once in a second.
    """
    return _known(runtime, services).services


def require_answer(runtime: Runtime) -> None:
    """Raise ProviderUnavailable where the runtime does not answer, or lately did not."""
    known = _known(runtime, ())
    if known.services is None:
        raise ProviderUnavailable(known.reason)


def look(runtime: Runtime) -> Mapping[str, Seen] | None:
    """Ask the runtime now, and let lists show that; None where it does not answer."""
    return _ask(runtime).services


def show(runtime: Runtime, states: Mapping[str, ServiceState]) -> Mapping[str, Seen]:
    """Let lists show these from now on."""
    found = {name: _seen(state) for name, state in states.items()}
    _keep(runtime, Known(time.time(), found), runtime.settings.module_status_ttl_s)
    return found


def _known(runtime: Runtime, services: Collection[str]) -> Known:
    """Only one of those who come finds out whether a runtime that was silent answers again."""
    held = _held(runtime)
    if held is None:
        return _ask(runtime)
    if held.services is None:
        if held.age_s < runtime.settings.module_status_ttl_s:
            return held
        _keep(runtime, replace(held, at=time.time()), SILENT_S)
        return _ask(runtime)
    if held.services.keys() >= set(services) or held.age_s < MISSING_S:
        return held
    return _ask(runtime)


def _ask(runtime: Runtime) -> Known:
    try:
        states = runtime.providers.services.states()
    except ProviderError as exc:
        known = Known(time.time(), None, exc.message)
        _keep(runtime, known, SILENT_S)
        return known
    return Known(time.time(), show(runtime, states))


def _held(runtime: Runtime) -> Known | None:
    held = runtime.copies.read(KIND, NAME)
    if held is None:
        return None
    at, services, reason = orjson.loads(held)
    if services is None:
        return Known(at, None, reason)
    found = {name: Seen(ServiceStatus(one[0]), *one[1:]) for name, one in services.items()}
    return Known(at, found)


def _keep(runtime: Runtime, known: Known, ttl_s: float) -> None:
    if runtime.settings.module_status_ttl_s <= 0:
        return
    services = None if known.services is None else _stored(known.services)
    content = orjson.dumps((known.at, services, known.reason))
    runtime.copies.put(KIND, NAME, content, ttl_s=ttl_s)


def _stored(services: Mapping[str, Seen]) -> dict[str, Any]:
    return {
        name: (one.status.value, one.address, one.restarts, one.message, one.started_at)
        for name, one in services.items()
    }


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
