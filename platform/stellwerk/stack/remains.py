"""Finds what a supervised process left behind, also after it changed its session.

Everything we start carries `STELLWERK_RUN=<run>/<name>` in its environment and begins a session
of its own. Servers that overwrite their environment (Postgres, Valkey) are found by session, and
Postgres's own processes, which begin sessions of their own too, as children of what was found.
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
    doomed: set[psutil.Process] = set()
    for _ in range(ROUNDS):
        for process in _remains(mark, sessions):
            doomed |= {process, *_descendants(process)}
        doomed = {process for process in doomed if _runs(process)}
        for process in doomed:
            _kill(process)
        if not doomed:
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


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []  # gone meanwhile


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False  # gone meanwhile


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.Error:
        return  # gone meanwhile
