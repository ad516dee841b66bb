"""Everything that descends from a keeper, whatever sessions and groups it made for itself.

The keeper is a subreaper: what loses its parent becomes its child, so nothing gets away from it.
"""

import ctypes
import os
import signal
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
PROC = Path("/proc")
PAUSE_S = 0.01


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose parents end."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError("the kernel lets nobody adopt orphans")


def reap(statuses: dict[int, int]) -> bool:
    """Collect what has ended, as waitpid(2) tells it; False where no child is left at all."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        statuses[pid] = status


def sees_descendants() -> bool:
    """Whether this kernel tells whose children are whose."""
    return (PROC / "thread-self" / "children").exists()


def end_descendants(statuses: dict[int, int], *, within_s: float = 30.0) -> bool:
    """SIGKILL all of them and wait until the kernel knows of none; False where it still does.

    They are stopped first: what forks faster than it is killed would never be gone.
    """
    deadline = time.monotonic() + within_s
    while reap(statuses):
        if time.monotonic() > deadline:
            return False
        doomed = descendants(os.getpid())
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in doomed:
                _signal(pid, number)
        time.sleep(PAUSE_S)
    return True


def descendants(pid: int) -> set[int]:
    """The children of a process, theirs, and so on; those that were forked meanwhile may lack."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        children = set(_children(waiting.pop())) - found
        found |= children
        waiting += children
    return found


def thread_count(pids: Collection[int]) -> int:
    """Threads of all of them, a process being one at least."""
    return sum(len(_threads(pid)) for pid in pids)


def _children(pid: int) -> Iterator[int]:
    for thread in _threads(pid):
        with suppress(OSError):  # it has ended meanwhile
            text = (PROC / str(pid) / "task" / thread / "children").read_text()
            yield from (int(child) for child in text.split())


def _threads(pid: int) -> list[str]:
    with suppress(OSError):  # it has ended meanwhile
        return [path.name for path in (PROC / str(pid) / "task").iterdir()]
    return []


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
