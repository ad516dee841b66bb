"""Finds what a supervised process left behind, also after it changed its session.

Everything we start carries `STELLWERK_RUN=<run>/<name>` in its environment and begins a session
of its own. Servers that overwrite their environment (Postgres, Valkey) are found by session.
"""

import os
import time
from collections.abc import Collection, Iterator

import psutil

MARK = "STELLWERK_RUN"
ROUNDS = 50
PAUSE_S = 0.1


def kill_remains(mark: str, sessions: Collection[int]) -> None:
    """SIGKILL every process whose mark starts with `mark` or that is of one of the sessions.

    Repeats until none is left, at most for about 5 s: a dying process may still fork.
    """
    for _ in range(ROUNDS):
        found = list(_remains(mark, sessions))
        for process in found:
            _kill(process)
        if not found:
            return
        time.sleep(PAUSE_S)


def _remains(mark: str, sessions: Collection[int]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        if process.pid != os.getpid() and _belongs(process, mark, sessions):
            yield process


def _belongs(process: psutil.Process, mark: str, sessions: Collection[int]) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if os.getsid(process.pid) in sessions:
            return True
        return process.environ().get(MARK, "").startswith(mark)
    except (psutil.Error, OSError):
        return False  # gone, or somebody else's


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.Error:
        return  # gone meanwhile
