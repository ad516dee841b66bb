"""Private folders of attempts, on this machine's disk; what dead processes left is swept."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

PREFIX = "stellwerk-jobs-"
LOCK = "lock"
YOUNG_S = 60.0  # a folder whose process has perhaps not locked it yet


class Workdirs:
    """A process's folders, in one of its own that it keeps locked for as long as it lives."""

    def __init__(self, parent: Path | None = None) -> None:
        """`parent`: None for the system's folder of temporary files."""
        self._parent = parent or Path(tempfile.gettempdir())
        self._home: Path | None = None
        self._held: int | None = None  # file descriptor of the lock
        self._lock = Lock()

    def make(self) -> Path:
        """A new, empty folder; raises OSError."""
        with self._lock:
            if self._home is None or not self._home.exists():
                self._home = self._claim_home()
            return Path(tempfile.mkdtemp(dir=self._home))

    @contextmanager
    def lend(self) -> Iterator[Callable[[], Path]]:
        """A folder for the block: made when first asked for, removed with everything in it."""
        made: list[Path] = []

        def make_once() -> Path:
            if not made:
                made.append(self.make())
            return made[0]

        try:
            yield make_once
        finally:
            for folder in made:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove everything of this process."""
        with self._lock:
            if self._home:
                shutil.rmtree(self._home, ignore_errors=True)
            if self._held is not None:
                os.close(self._held)
            self._home = self._held = None

    def sweep(self) -> int:
        """Remove the folders of processes that are gone; returns how many."""
        found = self._parent.glob(f"{PREFIX}*")
        return sum(_remove_if_left(home) for home in found if home != self._home)

    def _claim_home(self) -> Path:
        home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._parent))
        self._held = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._held, fcntl.LOCK_EX)  # the kernel lets go when the process ends
        return home


def _remove_if_left(home: Path) -> bool:
    with suppress(OSError), (home / LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if time.time() - home.stat().st_mtime > YOUNG_S:
            shutil.rmtree(home)
            return True
    return False
