"""Starting processes of a running stack again."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from stellwerk.errors import NotRunning, StackError
from stellwerk.stack.home import Home
from stellwerk.stack.report import read_report

WITHIN_S = 150.0
POLL_S = 0.1
WORKERS, ALL = "workers", "all"
TRACKER = "multiprocessing.resource_tracker"
# What runs our code, in the order of a deploy: new submissions come last.
ROLES = ("worker", "dispatcher", "telephony", "beat", "flower", "realtime", "web")


def named(home: Home, names: Sequence[str]) -> list[str]:
    """Processes for names as people give them; raises NotRunning, and StackError.

    `workers` are all workers, `all` is everything that runs our code: neither the databases nor the
    edge, which would close the public port.
    """
    roles = {entry["name"]: entry["role"] for entry in _entries(home)}
    groups = {WORKERS: ("worker",), ALL: ROLES}
    found: list[str] = []
    for name in names:
        if name in groups:
            found += [one for role in groups[name] for one in roles if roles[one] == role]
        elif name in roles:
            found.append(name)
        else:
            listed = ", ".join(sorted(roles))
            message = f"There is no process {name}; there are {listed}, and `workers` and `all`."
            raise StackError(message)
    return list(dict.fromkeys(found))


def restart(home: Home, name: str) -> None:
    """Start one process again, and wait until the new one runs.

    The web process replaces its workers by itself, without a failed request; any other is told to
    end, and its supervisor starts it again. Raises NotRunning, and StackError where it does not
    come back.
    """
    pid = _pid(home, name)
    if name == "web":
        replacement = _Replacement(pid)
        os.kill(pid, signal.SIGHUP)
        _wait(replacement.is_done, name)
        return
    os.kill(pid, signal.SIGTERM)
    _wait(lambda: _present(home, name).get("pid") not in {None, pid}, name)


def _pid(home: Home, name: str) -> int:
    found = _present(home, name).get("pid")
    if found is None:
        raise StackError(f"{name} is starting already; see {home.logs}.")
    return int(found)


def _present(home: Home, name: str) -> dict[str, Any]:
    return next((entry for entry in _entries(home) if entry["name"] == name), {})


def _entries(home: Home) -> list[dict[str, Any]]:
    report = read_report(home)
    if report is None:
        raise NotRunning(f"Nothing runs in {home.path}. Start it with `stellwerk up`.")
    return list(report.get("processes", ()))


class _Replacement:
    """New workers of web, seen to come; the former ones are gone when it is done."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._former = _workers(pid)
        self._is_begun = False

    def is_done(self) -> bool:
        """Look once; raises StackError where the new ones went again, or all of web did."""
        try:
            present = _workers(self._pid)
        except psutil.NoSuchProcess as exc:
            raise StackError("web ended while its workers were replaced; it starts again.") from exc
        fresh = present - self._former
        if self._is_begun and not fresh:
            message = "web's new workers did not come up, and the former go on; its log says why."
            raise StackError(message)
        self._is_begun = bool(fresh)
        return self._is_begun and fresh == present


def _workers(pid: int) -> set[int]:
    """Its children, but for the one by which `multiprocessing` cleans up where it spawns."""
    children = psutil.Process(pid).children()
    return {one.pid for one in children if not any(TRACKER in word for word in _words(one))}


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def _wait(done: Callable[[], bool], name: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not done():
        if time.monotonic() > deadline:
            raise StackError(f"{name} did not start again within {WITHIN_S:g} s.")
        time.sleep(POLL_S)
