"""What every runtime of modules does.

A service is one running copy of a module's release. Services outlive whoever made them: their
state is with the runtime, under their names, and is found again by whoever asks next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class ServiceStatus(StrEnum):
    """What a service is doing."""

    STARTING = "starting"  # not yet found healthy
    RUNNING = "running"
    UNHEALTHY = "unhealthy"  # runs, and fails its health check; restarted by its policy
    STOPPED = "stopped"  # because it was asked for
    FAILED = "failed"  # ended as often as its policy allows; nobody starts it again by itself


OVER = frozenset({ServiceStatus.STOPPED, ServiceStatus.FAILED})  # nothing of it runs


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A GET of `path` that is answered with 2xx or 3xx, or a `command` that exits with 0."""

    path: str = "/"
    command: tuple[str, ...] = ()
    interval_s: float = 5.0
    timeout_s: float = 3.0
    retries: int = 3  # failures in a row that make it unhealthy
    start_period_s: float = 10.0  # in which failures do not count


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service may take."""

    memory_bytes: int
    cpus: float
    processes: int  # with threads


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How often a service that ended is started again before it counts as failed."""

    attempts: int = 5  # in a row; one that was healthy for `steady_s` counts anew
    delay_s: float = 0.5  # doubled each time, to 15 s
    steady_s: float = 30.0


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """Everything about a service. `environment` is all it is given, beside PORT and the like.

    `folder` (the release) is its working directory, which it only reads; `data` is its own.
    It listens on `port`, handed to it as PORT, with HOST, DATA_DIR, MODULE_NAME, MODULE_VERSION and
    INSTANCE_ID.
    """

    name: str
    module_name: str
    instance_id: str
    version: str
    folder: Path
    data: Path
    port: int
    command: tuple[str, ...]  # empty: the image's own
    image: str = ""  # empty: the runtime's own
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    health: HealthCheck = HealthCheck()
    limits: Limits = Limits(512 * 1024**2, 1.0, 64)
    restart: RestartPolicy = RestartPolicy()
    stop_grace_s: float = 10.0


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service as its runtime knows it. `address` (host:port) is where the gateway reaches it."""

    name: str
    module_name: str
    instance_id: str
    version: str
    status: ServiceStatus
    address: str
    restarts: int = 0
    started_at: datetime | None = None
    message: str = ""  # how it last ended, or why it is not healthy


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines of a service's log, oldest first; `cursor` is where the next page begins."""

    lines: Sequence[str]
    cursor: str


class Services(Protocol):
    """A runtime. Every call is done when it returns, and may be repeated.

    Each raises ProviderUnavailable where the runtime does not answer, ProviderRejected for what it
    never does.
    """

    @property
    def kind(self) -> str:
        """The name of the runtime, as in settings."""

    def refuse(self, spec: ServiceSpec) -> None:
        """Raise ProviderRejected for a service that this runtime cannot run."""

    def create(self, spec: ServiceSpec) -> None:
        """Make a service and start it; one that is there already with this spec stays as it is.

        One that is there with another spec is made anew. Does not wait until it is healthy.
        """

    def remove(self, name: str) -> None:
        """End a service and forget it; when this returns, nothing of it runs. None there: fine."""

    def start(self, name: str) -> None:
        """Start a service that was stopped or has failed; raises NotFound where there is none."""

    def stop(self, name: str) -> None:
        """End a service until it is started; when this returns, nothing of it runs."""

    def restart(self, name: str) -> None:
        """Stop and start it."""

    def states(self) -> Mapping[str, ServiceState]:
        """All services of this platform that there are, by name."""

    def state(self, name: str) -> ServiceState | None:
        """One of them."""

    def logs(self, name: str, *, tail: int = 100, cursor: str = "") -> LogPage:
        """The last `tail` lines, or at most so many of those after `cursor`; NotFound."""
