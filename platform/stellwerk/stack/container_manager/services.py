"""What a service may be: the counterpart of `providers/services/swarm/body.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stellwerk.providers.services.swarm import labels
from stellwerk.providers.services.swarm.body import (
    DATA,
    HOST_NETWORK,
    LOG,
    PRIVILEGES,
    RELEASE,
    TMP_BYTES,
)
from stellwerk.stack.container_manager.instances import Instance, instance_of
from stellwerk.stack.container_manager.shapes import (
    Allowed,
    Shape,
    exactly,
    number,
    text,
    texts,
    yes,
)

NS = 1_000_000_000
LONGEST_NS = 24 * 3600 * NS
MANY = 100
USER = r"[1-9]\d{0,9}:[1-9]\d{0,9}"  # numbers, and never root
IMAGE = r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,500}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one service may take at most."""

    memory_bytes: int
    cpus: float
    processes: int


@dataclass(frozen=True, slots=True)
class Rules:
    """Whose services they are."""

    stack: str
    network: str
    modules_dir: Path
    limits: Limits
    users: range  # uids of modules, each with a group of the same number

    def is_own_name(self, name: Any) -> bool:
        """Whether a service is of this stack."""
        return text(rf"{self.stack}_[A-Za-z0-9_-]{{1,63}}")(name)

    def is_own_label(self, written: Any) -> bool:
        """Whether labels say so, and nothing to other programs that read labels."""
        return (
            isinstance(written, dict)
            and written.keys() <= labels.ALL
            and all(isinstance(value, str) for value in written.values())
            and written.get(labels.STACK) == self.stack
        )

    def is_user(self, given: Any) -> bool:
        """Whether it is one of modules' own, or whoever the folder of modules belongs to.

        The latter are the platform's: one that is not root has no users to give.
        """
        if not text(USER)(given):
            return False
        uid, gid = map(int, given.split(":"))
        owner = self.modules_dir.stat()
        is_platform = (uid, gid) == (owner.st_uid, owner.st_gid)
        return is_platform or (uid == gid and uid in self.users)


def service_shape(rules: Rules, written: Any, name: str = "") -> Shape:
    """The body of a service with these labels, of one name where it is there already."""
    owner = instance_of(written, rules.stack, rules.modules_dir)
    return {
        "Labels": rules.is_own_label,
        "Name": lambda found: owner.is_name(found) and found == (name or found),
        "Mode": {"Replicated": {"Replicas": exactly(0, 1)}},
        "TaskTemplate": _template(rules, owner, written),
        "UpdateConfig": UPDATE,
        "RollbackConfig": UPDATE,
        "EndpointSpec": {"Mode": exactly("dnsrr")},
        "Networks?": exactly(None),
    }


def network_shape(rules: Rules) -> Shape:
    """The one network that may be made."""
    is_own = exactly(rules.network) if rules.network != HOST_NETWORK else exactly()
    return {
        "Name": is_own,
        "Driver": exactly("overlay"),
        "Attachable": yes,
        "Scope": exactly("swarm"),
        "Labels": rules.is_own_label,
        "Options?": exactly(None),
        "IPAM?": exactly(None),
        "CheckDuplicate?": exactly(None),
    }


UPDATE: Shape = {
    "Parallelism": exactly(1),
    "FailureAction": exactly("rollback", "pause"),
    "Monitor": number(LONGEST_NS),
    "Order": exactly("start-first", "stop-first"),
    "Delay?": number(LONGEST_NS),
    "MaxFailureRatio?": exactly(0),
}

RESTARTS: Shape = {
    "Condition": exactly("any", "none"),
    "Delay?": number(LONGEST_NS),
    "MaxAttempts?": number(MANY, least=1),
    "Window?": number(LONGEST_NS),
}

HEALTH: Shape = {
    "Test": lambda found: texts()(found) and found[:1] == ["CMD"],
    "Interval": number(LONGEST_NS, least=NS),
    "Timeout": number(LONGEST_NS, least=NS),
    "Retries": number(MANY, least=1),
    "StartPeriod?": number(LONGEST_NS),
}


def _template(rules: Rules, owner: Instance, written: Any) -> Shape:
    return {
        "ContainerSpec": _container(rules, owner, written),
        "Resources": {"Limits": _limits(rules.limits)},
        "RestartPolicy": RESTARTS,
        "LogDriver": exactly(LOG),
        "Networks": exactly([{"Target": rules.network}]),
        "ForceUpdate?": number(),
    }


def _container(rules: Rules, owner: Instance, written: Any) -> Shape:
    return {
        "Image": text(IMAGE),
        "Command?": texts(),
        "Env": texts(r"(?s)[A-Za-z_][A-Za-z0-9_]*=.*"),
        "Dir": exactly(RELEASE),
        "User": rules.is_user,
        "Labels": exactly(written),
        "Mounts": _mounts(owner),
        "ReadOnly": yes,
        "Init": yes,
        "CapabilityDrop": exactly(["ALL"]),
        "Privileges": exactly(PRIVILEGES),
        "Healthcheck": HEALTH,
        "StopGracePeriod": number(LONGEST_NS),
    }


def _limits(most: Limits) -> Shape:
    return {
        "MemoryBytes": number(most.memory_bytes, least=1),
        "NanoCPUs": number(most.cpus * NS, least=1),
        "Pids": number(most.processes, least=1),
    }


def _mounts(owner: Instance) -> Allowed:
    """A release, which is only read, the data, and a folder in memory."""
    kind = exactly("bind")
    release: Shape = {
        "Type": kind,
        "Source": owner.is_release,
        "Target": exactly(RELEASE),
        "ReadOnly": yes,
    }
    data: Shape = {"Type": kind, "Source": owner.is_data, "Target": exactly(DATA)}
    memory: Shape = {
        "Type": exactly("tmpfs"),
        "Target": exactly("/tmp"),  # noqa: S108  the container's own
        "TmpfsOptions": {"SizeBytes": exactly(TMP_BYTES)},
    }
    return lambda found: _match_each(found, (release, data, memory))


def _match_each(found: Any, shapes: tuple[Shape, ...]) -> bool:
    if not isinstance(found, list) or len(found) != len(shapes):
        return False
    return all(_matches(one, shape) for one, shape in zip(found, shapes, strict=True))


def _matches(found: Any, shape: Mapping[str, Any]) -> bool:
    return (
        isinstance(found, dict)
        and found.keys() == shape.keys()
        and all(
            _matches(found[key], wanted) if isinstance(wanted, Mapping) else wanted(found[key])
            for key, wanted in shape.items()
        )
    )
