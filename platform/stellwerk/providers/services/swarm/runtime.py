"""Docker Swarm as a runtime of modules: one service with one task for each."""

import os
import time
from collections.abc import Callable, Mapping

from stellwerk.errors import NotFound, ProviderRejected, ProviderUnavailable
from stellwerk.providers.services.protocol import (
    LogPage,
    ServiceSpec,
    ServiceState,
    ServiceStatus,
)
from stellwerk.providers.services.swarm import frames, labels
from stellwerk.providers.services.swarm.body import (
    Place,
    service_body,
    started,
    stopped,
)
from stellwerk.providers.services.swarm.engine import Docker, Json
from stellwerk.providers.services.swarm.names import require_own, require_short
from stellwerk.providers.services.swarm.probe import NS, require_check
from stellwerk.providers.services.swarm.reading import (
    is_ours,
    is_over,
    is_stopped,
    state_of,
    states_of,
)
from stellwerk.settings import Settings

CHANGES = 5  # times that others may change a service while it is being changed
POLL_S = 0.1
QUIET_S = 2.0  # after which a log that Docker leaves open is taken for whole


class SwarmServices:
    """The services of one stack on one swarm."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = settings.swarm_stack
        self._docker = Docker(settings)

    @property
    def kind(self) -> str:
        """As in settings."""
        return "swarm"

    def refuse(self, spec: ServiceSpec) -> None:
        """A foreign or a long name, and an image that nobody can tell to be healthy."""
        require_own(spec.name, self._stack)
        require_short(spec.name, f"{self._stack}_{spec.module_name}_{spec.instance_id}")
        require_check(spec)

    def create(self, spec: ServiceSpec) -> None:
        """Make the service, or change the one that is there; a stopped one is made anew.

        A change that does not become healthy is rolled back by Docker; its state then says so.
        """
        self.refuse(spec)
        self._give_data(spec)
        body = service_body(spec, self._place(spec.port))
        self._until_settled(spec.name, lambda: self._settle(body))

    def remove(self, name: str) -> None:
        """Remove the service and wait for its task, also where somebody else removed it."""
        found = self._found(name)
        self._docker.remove(name)
        self._wait_for_end(name, found)

    def start(self, name: str) -> None:
        """Let one task run; what has failed is stopped before, so that its restarts count anew."""
        if self._read(self._require(name)).status is ServiceStatus.FAILED:
            self.stop(name)
        self._until_settled(name, lambda: self._change(name, started))

    def stop(self, name: str) -> None:
        """Keep the service without a task."""
        self._until_settled(name, lambda: self._change(name, stopped))
        self._wait_for_end(name, self._docker.service(name))

    def restart(self, name: str) -> None:
        """Stop and start it: on this machine's network only one task can have its port."""
        self.stop(name)
        self.start(name)

    def states(self) -> Mapping[str, ServiceState]:
        """By two questions, however many services there are."""
        return states_of(self._docker.services(), self._docker.tasks(), self._place(0))

    def state(self, name: str) -> ServiceState | None:
        """By two questions as well."""
        found = self._found(name)
        return self._read(found) if found else None

    def logs(self, name: str, *, tail: int = 100, cursor: str = "") -> LogPage:
        """Of the tasks that Docker still knows: it forgets those of a service that was stopped."""
        require_own(name, self._stack)
        since, number = (frames.since(cursor), "all") if cursor else ("0", str(tail))
        sent = self._docker.logs(name, since=since, tail=number, within_s=QUIET_S)
        if sent is None:
            raise _none(name)
        return frames.following(sent, cursor, tail) if cursor else frames.newest(sent, tail)

    def _settle(self, body: Json) -> bool:
        """One attempt to have the service as the body says; False where others were quicker."""
        name = body["Name"]
        found = self._found(name)
        if found is None:
            self._docker.ensure_network(self._settings.swarm_network)
            return self._docker.create(body)
        if found["Spec"]["Labels"].get(labels.SPEC) == body["Labels"][labels.SPEC]:
            return True
        if is_stopped(found):  # Docker would go back to no task at all
            self.remove(name)
            return self._docker.create(body)
        return self._docker.update(found, body)

    def _change(self, name: str, change: Callable[[Json, Place], Json]) -> bool:
        """One attempt to stop or start it; fine where that is done."""
        found = self._require(name)
        body = change(found, self._place(0))
        if found["Spec"]["Mode"] == body["Mode"]:
            return True
        return self._docker.update(found, body)

    def _until_settled(self, name: str, attempt: Callable[[], bool]) -> None:
        """Docker refuses a change of what somebody else changed since it was read."""
        for _ in range(CHANGES):
            if attempt():
                return
        raise ProviderUnavailable(f"{name} is being changed by others again and again.")

    def _wait_for_end(self, name: str, found: Json | None) -> None:
        """Until nothing runs, for as long as its grace lasts and Docker may take beside it."""
        deadline = time.monotonic() + _grace_s(found) + self._settings.swarm_timeout_s
        while not all(is_over(task) for task in self._docker.tasks(name)):
            if time.monotonic() > deadline:
                raise ProviderUnavailable(f"Docker has not ended {name} in time.")
            time.sleep(POLL_S)

    def _found(self, name: str) -> Json | None:
        """Raises ProviderRejected for what somebody else made."""
        require_own(name, self._stack)
        found = self._docker.service(name)
        if found is not None and not is_ours(found, self._stack):
            message = f"There is a service {name} that {self._stack} did not make: remove it."
            raise ProviderRejected(message)
        return found

    def _require(self, name: str) -> Json:
        found = self._found(name)
        if found is None:
            raise _none(name)
        return found

    def _read(self, found: Json) -> ServiceState:
        return state_of(found, self._docker.tasks(found["Spec"]["Name"]), self._place(0))

    def _give_data(self, spec: ServiceSpec) -> None:
        """The folder has to be there before Docker mounts it, and be its user's."""
        uid, gid = self._user(spec.port)
        spec.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(spec.data, uid, gid, follow_symlinks=False)

    def _user(self, port: int) -> tuple[int, int]:
        """Only root can give a folder to a user of its own; else modules run as we do."""
        if os.geteuid() != 0:
            return os.geteuid(), os.getegid()
        uid = self._settings.module_user(port)
        return uid, uid

    def _place(self, port: int) -> Place:
        uid, gid = self._user(port)
        chosen = self._settings
        return Place(self._stack, chosen.swarm_network, chosen.swarm_image, f"{uid}:{gid}")


def _none(name: str) -> NotFound:
    return NotFound(f"There is no service {name}.")


def _grace_s(found: Json | None) -> float:
    if found is None:
        return 0.0
    container = found["Spec"]["TaskTemplate"]["ContainerSpec"]
    return float(container.get("StopGracePeriod", 0)) / NS
