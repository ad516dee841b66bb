"""Starts a service's program, and the commands that ask about its health."""

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stellwerk.providers.services.process import launch
from stellwerk.providers.services.process.cgroup import make_group
from stellwerk.providers.services.process.records import Task

HOST = "127.0.0.1"
# Programs reserve far more addresses than they use memory; what they use is counted by the keeper.
ADDRESSES_PER_BYTE = 4
ADDRESSES_MORE = 2 * 1024**3
# What a user of its own may have: two versions of an instance run while it is updated.
PROCESSES_OF_OWN = 3
PROCESSES_SHARED = 256  # where services run as the platform's user, on top of what it runs now
PYTHON_SAYS_AT_ONCE = {"PYTHONUNBUFFERED": "1"}  # else its last words stay in it when it is killed


@dataclass(frozen=True, slots=True)
class Started:
    """A process that leads a group of its own."""

    pid: int
    began_s: float  # monotonic

    def signal(self, number: signal.Signals) -> None:
        """Send it to the group; fine where nobody is left in it."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def start(task: Task, argv: Sequence[str], output: int, *, beside: int = 0) -> Started:
    """Start one as the service's user, under its limits, with `output` for all that it says.

    It sees the temporary folders of the process `beside` which it runs, else its own.
    """
    reading, writing = os.pipe()
    try:
        pid = _spawn(reading, output)
    finally:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe, suppress(BrokenPipeError):  # its status tells
            pipe.write(json.dumps(_order(task, argv, beside)).encode())
    return Started(pid, time.monotonic())


def _spawn(order: int, output: int) -> int:
    return os.posix_spawn(
        sys.executable,
        (sys.executable, "-I", "-S", launch.__file__),
        {},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, order, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setpgroup=0,
        setsigmask=[],
        setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
    )


def variables(task: Task) -> dict[str, str]:
    """The whole environment of a service."""
    spec = task.spec
    return {
        **PYTHON_SAYS_AT_ONCE,
        "LANG": "C.UTF-8",
        **spec.environment,
        "PATH": task.path,
        "HOME": str(spec.data),
        "HOST": HOST,
        "PORT": str(spec.port),
        "DATA_DIR": str(spec.data),
        "MODULE_NAME": spec.module_name,
        "MODULE_VERSION": spec.version,
        "INSTANCE_ID": spec.instance_id,
    }


def _order(task: Task, argv: Sequence[str], beside: int) -> dict[str, object]:
    limits = task.spec.limits
    group = make_group(task.spec.name, limits)
    own, shared = PROCESSES_OF_OWN * limits.processes, PROCESSES_SHARED + limits.processes
    return {
        "argv": list(argv),
        "environment": variables(task),
        "folder": str(task.spec.folder),
        "uid": task.uid,
        "port": task.spec.port,
        "keeper": os.getpid(),
        "group": f"{group}/cgroup.procs" if group else None,
        "beside": beside,
        "needs": [str(task.spec.folder), str(task.spec.data), *task.path.split(":"), *argv],
        "temporary_bytes": limits.memory_bytes,
        "address_space": ADDRESSES_PER_BYTE * limits.memory_bytes + ADDRESSES_MORE,
        "processes": own if task.uid is not None else shared + _tasks_of_ours(),
    }


def _tasks_of_ours() -> int:
    """Processes and threads that this user runs now: the kernel counts them all together."""
    total = 0
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and folder.stat().st_uid == os.geteuid():
                total += sum(1 for _ in (folder / "task").iterdir())
        except OSError:
            continue  # it has ended meanwhile
    return total
