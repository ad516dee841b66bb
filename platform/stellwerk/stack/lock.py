"""One `stellwerk up` per home: an advisory lock that dies with its holder."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from stellwerk.errors import AlreadyRunning

PATIENCE_S = 5.0  # how long a killed stack's guard may still be cleaning up


@dataclass(frozen=True, slots=True)
class Holder:
    """Who runs the stack of a home."""

    pid: int
    url: str


class HomeLock:
    """The lock of one home; `handle` is also given to the guard, which outlives a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handle = -1

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; raises AlreadyRunning, naming the holder, where another has it."""
        self.handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._take()
            self.announce("")
            yield
            os.ftruncate(self.handle, 0)
        finally:
            os.close(self.handle)

    def announce(self, url: str) -> None:
        """Write down who holds the lock and where it is reached."""
        content = json.dumps({"pid": os.getpid(), "url": url}).encode()
        os.ftruncate(self.handle, 0)
        os.pwrite(self.handle, content, 0)

    def _take(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not _try(self.handle):
            holder = _read(self.path)
            if (holder and psutil.pid_exists(holder.pid)) or time.monotonic() > deadline:
                raise AlreadyRunning(_sentence(self.path, holder))
            time.sleep(0.1)


def holder_of(path: Path) -> Holder | None:
    """Who holds the lock now; None where nobody does, whatever the file says."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        return None if _try(handle) else _read(path)
    finally:
        os.close(handle)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> Holder | None:
    try:
        content = json.loads(path.read_text())
        return Holder(pid=int(content["pid"]), url=str(content["url"]))
    except (ValueError, KeyError):
        return None


def _sentence(path: Path, holder: Holder | None) -> str:
    if holder is None:
        return f"Another `stellwerk up` owns {path.parent}."
    place = f" at {holder.url}" if holder.url else ""
    return f"Already running{place}, pid {holder.pid}, in {path.parent}. End it: stellwerk down"
