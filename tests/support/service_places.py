"""Where the services of tests run: each runtime, with one small server to run on it."""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import requests

import service_server
from embedded import wait_until
from stellwerk.providers.services.choice import services
from stellwerk.providers.services.place import modules_dir, remove_modules
from stellwerk.providers.services.protocol import (
    HealthCheck,
    Limits,
    RestartPolicy,
    Services,
    ServiceSpec,
    ServiceState,
    ServiceStatus,
)
from stellwerk.settings import load_settings
from stellwerk.stack.ports import free_port

MIB = 1024**2
HEALTH = HealthCheck("/health", interval_s=1.0, timeout_s=5.0, retries=3, start_period_s=20.0)
RESTART = RestartPolicy(attempts=2, delay_s=0.1, steady_s=30.0)
HOMES = count()


@dataclass(slots=True)
class ServicePlace:
    """A runtime, the settings it was made from, and the folder of its modules."""

    services: Services
    settings: Mapping[str, Any]  # for `load_settings`, also in another process
    folder: Path
    made: list[str] = field(default_factory=list)

    def spec(self, **changes: Any) -> ServiceSpec:
        """A service that nobody made yet; removed with the place, at the latest."""
        instance_id = uuid.uuid4().hex
        instance = self.folder / f"probe_{instance_id}"
        release = instance / "releases" / "1.0.0"
        for folder in (instance, release.parent, release):
            folder.mkdir()
            folder.chmod(0o755)
        shutil.copyfile(service_server.__file__, release / "server.py")
        (release / "server.py").chmod(0o644)
        given: dict[str, Any] = {
            "name": f"stellwerk_probe_{instance_id}"[:60],
            "module_name": "probe",
            "instance_id": instance_id,
            "version": "1.0.0",
            "folder": release,
            "data": instance / "data",
            "port": free_port(),
            "command": ("python3", "-S", "server.py"),
            "health": HEALTH,
            "restart": RESTART,
            "limits": Limits(128 * MIB, 1.0, 32),
            "stop_grace_s": 5.0,
        }
        self.made.append(given["name"])
        return ServiceSpec(**given | changes)

    def running(self, **changes: Any) -> ServiceSpec:
        """A service that was made and is healthy."""
        spec = self.spec(**changes)
        self.services.create(spec)
        self.await_status(spec, ServiceStatus.RUNNING)
        return spec

    def state(self, spec: ServiceSpec) -> ServiceState:
        state = self.services.state(spec.name)
        assert state
        return state

    def await_status(self, spec: ServiceSpec, *wanted: ServiceStatus) -> ServiceState:
        wait_until(lambda: self.state(spec).status in wanted)
        return self.state(spec)

    def ask(self, spec: ServiceSpec, deed: str) -> str:
        """Have its server do something."""
        address = self.state(spec).address
        return requests.get(f"http://{address}/{deed}", timeout=30).text

    def bid(self, spec: ServiceSpec, deed: str) -> None:
        """The same for what it does not live to answer."""
        try:
            self.ask(spec, deed)
        except requests.RequestException:
            return

    def told(self, spec: ServiceSpec) -> dict[str, Any]:
        """What it says of itself."""
        return dict(json.loads(self.ask(spec, "tell")))

    def lines(self, spec: ServiceSpec) -> list[str]:
        return list(self.services.logs(spec.name).lines)

    def remove_all(self) -> None:
        while self.made:
            self.services.remove(self.made.pop())


def users_of_their_own() -> int:
    """The first of 10,000 that no other home of any test process has."""
    return 1_000_000 + os.getpid() % 10_000 * 200_000 + next(HOMES) % 20 * 10_000


@contextmanager
def process_place(folder: Path) -> Iterator[ServicePlace]:
    """Processes of this machine; under root with users that no other test process has."""
    given = {"home": folder, "module_users_from": users_of_their_own()}
    settings = load_settings(**given)
    place = ServicePlace(services(settings), given, modules_dir(settings))
    try:
        yield place
    finally:
        place.remove_all()
        remove_modules(folder)


PLACES: Mapping[str, Callable[[Path], AbstractContextManager[ServicePlace]]] = {
    "process": process_place,
}
