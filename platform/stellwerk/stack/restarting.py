"""Starting processes of a running stack again."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil

from stellwerk.errors import NotRunning, StackError
from stellwerk.stack.home import Home
from stellwerk.stack.report import read_report

WITHIN_S = 90.0
POLL_S = 0.1


def restart(home: Home, name: str) -> None:
    """Start one process again, and wait until the new one runs.

    The web process replaces its workers one after the other by itself; any other
    is told to end, and its supervisor starts it again. Raises NotRunning, and StackError where
    there is no such process or it does not come back.
    """
    pid = _pid(home, name)
    if name == "web":
        former = _workers(pid)
        os.kill(pid, signal.SIGHUP)
        _wait(lambda: _are_replaced(pid, former), name)
        return
    os.kill(pid, signal.SIGTERM)
    _wait(lambda: _present(home, name).get("pid") not in {None, pid}, name)


def _pid(home: Home, name: str) -> int:
    found = _present(home, name).get("pid")
    if found is None:
        raise StackError(f"{name} is starting already; see {home.logs}.")
    return int(found)


def _present(home: Home, name: str) -> dict[str, Any]:
    report = read_report(home)
    if report is None:
        raise NotRunning(f"Nothing runs in {home.path}. Start it with `stellwerk up`.")
    entries = {entry["name"]: entry for entry in report.get("processes", ())}
    if name not in entries:
        raise StackError(f"There is no process {name}; there are {', '.join(sorted(entries))}.")
    return dict(entries[name])


def _workers(pid: int) -> set[int]:
    return {process.pid for process in psutil.Process(pid).children()}


def _are_replaced(pid: int, former: set[int]) -> bool:
    try:
        present = _workers(pid)
    except psutil.NoSuchProcess as exc:
        raise StackError("web ended while its workers were replaced; it starts again.") from exc
    return bool(present) and not present & former


def _wait(done: Callable[[], bool], name: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not done():
        if time.monotonic() > deadline:
            raise StackError(f"{name} did not start again within {WITHIN_S:g} s.")
        time.sleep(POLL_S)
