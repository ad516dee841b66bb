"""A service as Docker is told to run it: `POST /services/create` of its API.

The container manager (stack/container_manager) allows what stands here and nothing else: whoever
adds something here adds it there.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stellwerk.providers.services.protocol import ServiceSpec
from stellwerk.providers.services.swarm import labels
from stellwerk.providers.services.swarm.probe import (
    health_check,
    nanoseconds,
    unhealthy_after_s,
)

HOST_NETWORK = "host"
RELEASE, DATA = "/module", "/data"
TMP_BYTES = 64 * 1024**2
LOG = {"Name": "json-file", "Options": {"max-size": "5m", "max-file": "2"}}
PRIVILEGES = {"NoNewPrivileges": True}  # Docker before 25 knows it as a setting of the daemon alone
TEMPLATE = ("ContainerSpec", "Resources", "RestartPolicy", "LogDriver", "Networks", "ForceUpdate")
CONTAINER = (
    *("Image", "Command", "Env", "Dir", "User", "Labels", "Mounts", "ReadOnly", "Init"),
    *("CapabilityDrop", "Privileges", "Healthcheck", "StopGracePeriod"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where and as whom services of this installation run."""

    stack: str
    network: str
    image: str
    user: str  # uid:gid

    @property
    def is_host(self) -> bool:
        """Whether they share this machine's network."""
        return self.network == HOST_NETWORK

    def address(self, name: str, port: int | str) -> str:
        """Where the gateway finds a service."""
        return f"127.0.0.1:{port}" if self.is_host else f"{name}:{port}"


def service_body(spec: ServiceSpec, place: Place) -> dict[str, Any]:
    """The whole service. Its labels tell what it was made from."""
    written = _labels(spec, place)
    return {
        "Name": spec.name,
        "Labels": written,
        "Mode": {"Replicated": {"Replicas": 1}},
        "TaskTemplate": {
            "ContainerSpec": _container(spec, place, written),
            "Resources": {"Limits": _limits(spec)},
            "RestartPolicy": _restarts(spec),
            "LogDriver": LOG,
            "Networks": [{"Target": place.network}],
        },
        "UpdateConfig": _update(spec, place, on_failure="rollback"),
        "RollbackConfig": _update(spec, place, on_failure="pause"),
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def stopped(found: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The body of a service that is there, without a task.

    It is marked, so that what ended before is told from what will be started.
    """
    body = _again(found, place, replicas=0)
    body["TaskTemplate"]["ForceUpdate"] = body["TaskTemplate"].get("ForceUpdate", 0) + 1
    return body


def started(found: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The same with its task."""
    return _again(found, place, replicas=1)


def _again(found: Mapping[str, Any], place: Place, *, replicas: int) -> dict[str, Any]:
    """Without what Docker adds on its own: it adds it again.

    What does not become healthy then is not rolled back, which would leave no task at all.
    """
    body = found["Spec"]
    template = {name: value for name, value in body["TaskTemplate"].items() if name in TEMPLATE}
    container = template["ContainerSpec"]
    template["ContainerSpec"] = {
        **{name: value for name, value in container.items() if name in CONTAINER},
        "Privileges": PRIVILEGES,
    }
    template["Networks"] = [{"Target": place.network}]
    return {
        "Name": body["Name"],
        "Labels": body["Labels"],
        "Mode": {"Replicated": {"Replicas": replicas}},
        "TaskTemplate": template,
        "UpdateConfig": body["UpdateConfig"] | {"FailureAction": "pause"},
        "RollbackConfig": body["RollbackConfig"],
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def _labels(spec: ServiceSpec, place: Place) -> dict[str, str]:
    return {
        labels.STACK: place.stack,
        labels.SERVICE: spec.name,
        labels.MODULE: spec.module_name,
        labels.INSTANCE: spec.instance_id,
        labels.VERSION: spec.version,
        labels.PORT: str(spec.port),
        labels.SPEC: _digest(spec, place),
    }


def _digest(spec: ServiceSpec, place: Place) -> str:
    """Over everything, so that the same service made again is known for the same."""
    whole = {"spec": asdict(spec), "place": asdict(place)}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()


def _container(spec: ServiceSpec, place: Place, written: Mapping[str, str]) -> dict[str, Any]:
    container = {
        "Image": spec.image or place.image,
        "Env": [f"{name}={value}" for name, value in _environment(spec, place).items()],
        "Dir": RELEASE,
        "User": place.user,
        "Labels": dict(written),
        "Mounts": _mounts(spec),
        "ReadOnly": True,
        "Init": True,
        "CapabilityDrop": ["ALL"],
        "Privileges": PRIVILEGES,
        "Healthcheck": health_check(spec),
        "StopGracePeriod": nanoseconds(spec.stop_grace_s),
    }
    return container | ({"Command": list(spec.command)} if spec.command else {})


def _environment(spec: ServiceSpec, place: Place) -> dict[str, str]:
    return dict(spec.environment) | {
        "PORT": str(spec.port),
        "HOST": "127.0.0.1" if place.is_host else "0.0.0.0",  # noqa: S104  of its own network alone
        "DATA_DIR": DATA,
        "HOME": DATA,
        "MODULE_NAME": spec.module_name,
        "MODULE_VERSION": spec.version,
        "INSTANCE_ID": spec.instance_id,
    }


def _mounts(spec: ServiceSpec) -> list[dict[str, Any]]:
    return [
        {"Type": "bind", "Source": str(spec.folder), "Target": RELEASE, "ReadOnly": True},
        {"Type": "bind", "Source": str(spec.data), "Target": DATA},
        {"Type": "tmpfs", "Target": "/tmp", "TmpfsOptions": {"SizeBytes": TMP_BYTES}},  # noqa: S108  the container's own
    ]


def _limits(spec: ServiceSpec) -> dict[str, int]:
    return {
        "MemoryBytes": spec.limits.memory_bytes,
        "NanoCPUs": nanoseconds(spec.limits.cpus),
        "Pids": spec.limits.processes,
    }


def _restarts(spec: ServiceSpec) -> dict[str, Any]:
    """Swarm counts restarts within a window, so it has to be long enough for all of them.

    Its delay stays the same. 0 attempts would be any number for Docker.
    """
    policy = spec.restart
    if not policy.attempts:
        return {"Condition": "none"}
    one_s = policy.delay_s + unhealthy_after_s(spec.health)
    return {
        "Condition": "any",
        "Delay": nanoseconds(policy.delay_s),
        "MaxAttempts": policy.attempts,
        "Window": nanoseconds(policy.attempts * one_s + policy.steady_s),
    }


def _update(spec: ServiceSpec, place: Place, *, on_failure: str) -> dict[str, Any]:
    """On this machine's network two tasks cannot have the same port, so the old one goes first."""
    return {
        "Parallelism": 1,
        "FailureAction": on_failure,
        "Monitor": nanoseconds(unhealthy_after_s(spec.health)),
        "Order": "stop-first" if place.is_host else "start-first",
    }
