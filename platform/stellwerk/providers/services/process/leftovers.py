"""Ends what a keeper left that was killed: its program, and whatever came of that.

Nobody else tells those from other processes of the same user, so each has to show whose it is:
by the service's own user, else by the variables it was given; and no living keeper is above it.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass

from stellwerk.providers.services.process.descent import PROC, descendants
from stellwerk.providers.services.process.records import Records, Task

KEEPERS_SCRIPT = b"/process/entry.py"  # of any installation: its home may be another one
WITHIN_S = 10.0
PAUSE_S = 0.02
GONE = frozenset({"Z", "X"})


@dataclass(frozen=True, slots=True)
class Seen:
    """A process, as /proc tells it."""

    pid: int
    parent: int
    uid: int


def end_leftovers(records: Records, task: Task) -> bool:
    """SIGKILL all of them; False where some are left after 10 s."""
    course = records.course()
    if course is None or course.program is None:
        return True
    deadline = time.monotonic() + WITHIN_S
    while found := _leftovers(task):
        for number in (signal.SIGSTOP, signal.SIGKILL):
            _signal(found, number)
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_S)
    return True


def _leftovers(task: Task) -> set[int]:
    all_of_them = _processes()
    own = {
        pid
        for pid, seen in all_of_them.items()
        if _is_of(task, seen) and not _is_kept(seen, all_of_them)
    }
    return own | {below for pid in own for below in descendants(pid) if below in all_of_them}


def _is_of(task: Task, seen: Seen) -> bool:
    if task.uid is not None:
        return seen.uid == task.uid
    return seen.uid == os.geteuid() and _carries_mark(task, seen.pid)


def _carries_mark(task: Task, pid: int) -> bool:
    marks = {f"INSTANCE_ID={task.spec.instance_id}".encode(), f"PORT={task.spec.port}".encode()}
    with suppress(OSError):  # gone, or not to be read
        return marks <= set((PROC / str(pid) / "environ").read_bytes().split(b"\0"))
    return False


def _is_kept(seen: Seen, all_of_them: dict[int, Seen]) -> bool:
    """Whether a keeper is above it; two versions of an instance have one user."""
    above = all_of_them.get(seen.parent)
    while above:
        if above.uid == os.geteuid() and _is_keeper(above.pid):
            return True
        above = all_of_them.get(above.parent)
    return False


def _is_keeper(pid: int) -> bool:
    with suppress(OSError):  # gone: nobody is kept by it
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
        return any(word.endswith(KEEPERS_SCRIPT) for word in words)
    return False


def _processes() -> dict[int, Seen]:
    """All that run on this machine."""
    found = (_seen(int(path.name)) for path in PROC.iterdir() if path.name.isdigit())
    return {seen.pid: seen for seen in found if seen}


def _seen(pid: int) -> Seen | None:
    folder = PROC / str(pid)
    with suppress(OSError, IndexError, ValueError):  # it has ended meanwhile
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        uid = int((folder / "status").read_text().partition("\nUid:")[2].split()[0])
        if fields[0] not in GONE:
            return Seen(pid, int(fields[1]), uid)
    return None


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
