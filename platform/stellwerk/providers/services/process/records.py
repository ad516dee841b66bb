"""What is written about one service, in a folder that its owner alone may read.

`task.json` says what to run, and holds the service's variables. `wanted` says whether it ought to.
`course.json` says what became of it; its keeper alone writes that one. The keeper also holds a
lock on `life` for as long as it lives, which no reused number of a process can pretend.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from stellwerk.providers.services.protocol import (
    HealthCheck,
    Limits,
    RestartPolicy,
    ServiceSpec,
    ServiceStatus,
)

PRIVATE = 0o700


@dataclass(frozen=True, slots=True)
class Task:
    """A service, and what its keeper needs beside. `uid` None: the user of the keeper."""

    spec: ServiceSpec
    uid: int | None
    path: str  # the variable PATH


@dataclass(frozen=True, slots=True)
class Course:
    """How a service is doing. `program` is what the keeper started, by number and start."""

    keeper: int
    status: ServiceStatus
    restarts: int = 0
    started_at: datetime | None = None
    message: str = ""
    program: int | None = None  # None: nothing of the service is left


@dataclass(frozen=True, slots=True)
class Records:
    """The folder of one service."""

    path: Path

    @property
    def name(self) -> str:
        """The service's."""
        return self.path.name

    def make(self) -> None:
        """Make the folder; fine where it is there."""
        self.path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)

    def task(self) -> Task | None:
        """What to run; None where nothing is written, or nothing that this release can read."""
        found = _read(self.path / "task.json")
        with suppress(KeyError, TypeError, ValueError):
            return task_of(found) if found else None
        return None

    def has_task(self) -> bool:
        """Whether something is written."""
        return (self.path / "task.json").exists()

    def write_task(self, task: Task) -> None:
        """Replace what to run."""
        _write(self.path / "task.json", document_of(task))

    def is_wanted(self) -> bool:
        """Whether it ought to run."""
        return (self.path / "wanted").exists()

    def want(self, *, wanted: bool) -> None:
        """Write down whether it ought to run."""
        if wanted:
            (self.path / "wanted").touch(mode=0o600)
        else:
            (self.path / "wanted").unlink(missing_ok=True)

    def course(self) -> Course | None:
        """What its keeper wrote last; None before the first."""
        found = _read(self.path / "course.json")
        with suppress(KeyError, TypeError, ValueError):
            return _course_of(found) if found else None
        return None

    def write_course(self, course: Course) -> None:
        """Replace what became of it."""
        at = course.started_at
        _write(
            self.path / "course.json",
            asdict(course) | {"started_at": at.isoformat() if at else None},
        )

    def take_life(self) -> int | None:
        """Become the keeper: the handle to keep open, or None where there is another one."""
        handle = os.open(self.path / "life", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return handle

    def has_keeper(self) -> bool:
        """Whether one lives."""
        try:
            handle = os.open(self.path / "life", os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False


def document_of(task: Task) -> dict[str, Any]:
    """The task as JSON; two of one spec are equal."""
    variables = dict(task.spec.environment)
    spec = asdict(replace(task.spec, environment=variables))
    spec |= {"folder": str(task.spec.folder), "data": str(task.spec.data)}
    spec["command"] = list(task.spec.command)
    spec["health"]["command"] = list(task.spec.health.command)
    return {"spec": spec, "uid": task.uid, "path": task.path}


def task_of(document: Mapping[str, Any]) -> Task:
    """The inverse; another release may have written fewer fields, or more.

    Raises KeyError, TypeError or ValueError where what is needed is not there.
    """
    spec = dict(document["spec"])
    health = dict(spec.get("health", {}))
    spec |= {
        "folder": Path(spec["folder"]),
        "data": Path(spec["data"]),
        "command": tuple(spec["command"]),
        "health": HealthCheck(
            **_fields(HealthCheck, health | {"command": tuple(health.get("command", ()))})
        ),
        "limits": Limits(**_fields(Limits, spec["limits"])),
        "restart": RestartPolicy(**_fields(RestartPolicy, spec.get("restart", {}))),
    }
    return Task(ServiceSpec(**_fields(ServiceSpec, spec)), document["uid"], document["path"])


def _fields(kind: type, found: Mapping[str, Any]) -> dict[str, Any]:
    """What of it a class of ours has."""
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]  # all given are dataclasses
    return {name: value for name, value in found.items() if name in names}


def _course_of(found: Mapping[str, Any]) -> Course:
    at = found.get("started_at")
    started_at = datetime.fromisoformat(at) if at else None
    known = _fields(Course, found)
    return Course(**{**known, "status": ServiceStatus(found["status"]), "started_at": started_at})


def _read(path: Path) -> dict[str, Any]:
    """Empty for a file that is missing, or that a full disk cut off."""
    with suppress(FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return dict(json.loads(path.read_text()))
    return {}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """At once: a reader sees the old content or the new."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(content, file)
    fresh.replace(path)
