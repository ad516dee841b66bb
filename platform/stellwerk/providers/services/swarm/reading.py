"""What Docker tells of a service and its tasks, as the state of a service.

See "Swarm task model" of swarmkit: a task runs once and is replaced, never started again. Docker
calls a task `running` only once its health check has passed, and ends it when the check fails.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from stellwerk.providers.services.protocol import ServiceState, ServiceStatus
from stellwerk.providers.services.swarm import labels
from stellwerk.providers.services.swarm.body import Place

Json = Mapping[str, Any]

ENDED = frozenset({"complete", "failed", "rejected", "shutdown", "orphaned", "remove"})
BY_ITSELF = frozenset({"complete", "failed", "rejected"})
GOING = frozenset({"shutdown", "remove"})  # as a task's desired state
UNHEALTHY = "unhealthy container"


def states_of(
    services: Iterable[Json], tasks: Iterable[Json], place: Place
) -> dict[str, ServiceState]:
    """All states of ours, by name: others may have written one of our labels on theirs."""
    by_service: dict[str, list[Json]] = {}
    for task in tasks:
        by_service.setdefault(task["ServiceID"], []).append(task)
    read = [
        state_of(found, by_service.get(found["ID"], ()), place)
        for found in services
        if is_ours(found, place.stack)
    ]
    return {state.name: state for state in read}


def state_of(service: Json, tasks: Sequence[Json], place: Place) -> ServiceState:
    """One state; tasks from before the service was changed or stopped count for nothing."""
    spec = service["Spec"]
    written = spec["Labels"]
    present = [task for task in tasks if _origin(task["Spec"]) == _origin(spec["TaskTemplate"])]
    live = [task for task in present if not is_over(task)]
    ended = sorted((task for task in present if _ended_by_itself(task)), key=_moment)
    running = [task for task in live if _state(task) == "running"]
    return ServiceState(
        name=spec["Name"],
        module_name=written[labels.MODULE],
        instance_id=written[labels.INSTANCE],
        version=written[labels.VERSION],
        status=_status(service, live, ended),
        address=place.address(spec["Name"], written[labels.PORT]),
        restarts=max(0, len(ended) + bool(live) - 1),
        started_at=_time(running[0]) if running else None,
        message=_message(service, live, ended),
    )


def is_ours(service: Json, stack: str) -> bool:
    """Whether it has the name and all the labels that services of this stack are made with."""
    spec = service["Spec"]
    written = spec.get("Labels") or {}
    is_complete = written.keys() >= labels.ALL and written[labels.STACK] == stack
    return is_complete and str(spec["Name"]).startswith(f"{stack}_")


def is_over(task: Json) -> bool:
    """Whether nothing runs for a task any more."""
    return _state(task) in ENDED


def is_stopped(service: Json) -> bool:
    """Whether a service was asked to stop."""
    return not service["Spec"]["Mode"]["Replicated"].get("Replicas", 0)


def _status(service: Json, live: Sequence[Json], ended: Sequence[Json]) -> ServiceStatus:
    if is_stopped(service):
        return ServiceStatus.STOPPED
    if any(_state(task) == "running" for task in live):
        return ServiceStatus.RUNNING
    if not live and ended and ended[-1]["DesiredState"] in GOING:
        return ServiceStatus.FAILED  # Docker would have made the next task at the same time
    if ended and (UNHEALTHY in _reason(ended[-1]) or _state(ended[-1]) == "complete"):
        return ServiceStatus.UNHEALTHY
    return ServiceStatus.STARTING


def _message(service: Json, live: Sequence[Json], ended: Sequence[Json]) -> str:
    update = service.get("UpdateStatus") or {}
    if update.get("State", "").startswith("rollback"):
        return f"Docker went back to what ran before: {update.get('Message', '')}"
    waiting = [_reason(task) for task in live if _reason(task)]  # such as no room on any node
    return waiting[0] if waiting else _reason(ended[-1]) if ended else ""


def _reason(task: Json) -> str:
    """Docker ends what is not healthy, and only says so where the program's code then is not 0."""
    if _state(task) == "complete":
        return "The program ended with 0: by itself, or because its health check failed."
    return str(task["Status"].get("Err", ""))


def _ended_by_itself(task: Json) -> bool:
    return _state(task) in BY_ITSELF


def _state(task: Json) -> str:
    return str(task["Status"]["State"])


def _origin(template: Json) -> tuple[str | None, int]:
    """What it was made from, and how often that had been stopped before."""
    written = template["ContainerSpec"].get("Labels") or {}
    return written.get(labels.SPEC), template.get("ForceUpdate", 0)


def _moment(task: Json) -> str:
    return str(task["CreatedAt"])


def _time(task: Json) -> datetime:
    """Of its last change; Docker writes up to nanoseconds, without zeros at the end."""
    whole, _, rest = str(task["Status"]["Timestamp"]).removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:6]:0<6}+00:00").astimezone(UTC)
