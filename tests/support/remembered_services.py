"""A runtime of modules that runs nothing: it remembers what it was told, and fails as it is told.

For what the platform makes of a runtime's answers; runtimes themselves are tried for real.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from stellwerk.clock import utc_now
from stellwerk.errors import NotFound, StellwerkError
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.services.protocol import (
    LogPage,
    ServiceSpec,
    ServiceState,
    ServiceStatus,
)


@dataclass(slots=True)
class RememberedServices:
    """As the protocol says. `failures`: what a call raises, by its name or `NAME SERVICE`."""

    there: dict[str, ServiceState] = field(default_factory=dict)
    failures: dict[str, StellwerkError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    lines: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "remembered"

    def refuse(self, spec: ServiceSpec) -> None:
        self._called("refuse", spec.name)

    def create(self, spec: ServiceSpec) -> None:
        self._called("create", spec.name)
        address = f"127.0.0.1:{spec.port}"
        self.there[spec.name] = ServiceState(
            spec.name,
            spec.module_name,
            spec.instance_id,
            spec.version,
            ServiceStatus.RUNNING,
            address,
            started_at=utc_now(),
        )

    def remove(self, name: str) -> None:
        self._called("remove", name)
        self.there.pop(name, None)

    def start(self, name: str) -> None:
        self._called("start", name)
        self.becomes(name, ServiceStatus.RUNNING)

    def stop(self, name: str) -> None:
        self._called("stop", name)
        self.becomes(name, ServiceStatus.STOPPED)

    def restart(self, name: str) -> None:
        self._called("restart", name)
        self.becomes(name, ServiceStatus.RUNNING)

    def states(self) -> Mapping[str, ServiceState]:
        self._called("states")
        return dict(self.there)

    def state(self, name: str) -> ServiceState | None:
        self._called("state", name)
        return self.there.get(name)

    def logs(self, name: str, *, tail: int = 100, cursor: str = "") -> LogPage:
        self._called("logs", name)
        return LogPage(self.lines[-tail:], cursor)

    def becomes(self, name: str, status: ServiceStatus, message: str = "") -> None:
        """From now on the service is so; raises NotFound."""
        if name not in self.there:
            raise NotFound(f"There is no service {name}.")
        self.there[name] = replace(self.there[name], status=status, message=message)

    def asked(self, call: str) -> int:
        """How often that was called."""
        return sum(one.split()[0] == call for one in self.calls)

    def _called(self, call: str, name: str = "") -> None:
        self.calls.append(f"{call} {name}".strip())
        failure = self.failures.get(call) or self.failures.get(f"{call} {name}")
        if failure:
            raise failure


def running_on(runtime: Runtime, services: RememberedServices) -> Runtime:
    """The same platform, where modules run there."""
    return replace(runtime, providers=replace(runtime.providers, services=services))
