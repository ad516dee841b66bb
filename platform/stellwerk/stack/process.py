"""One supervised process: started, watched, restarted with back-off, ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stellwerk.clock import rfc3339
from stellwerk.stack import child
from stellwerk.stack.accounts import Account
from stellwerk.stack.remains import MARK, kill_remains

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 15.0
STEADY_AFTER_S = 30.0  # a process that lived this long starts over with the first delay


@dataclass(frozen=True, slots=True)
class Program:
    """What to run and how it likes to be ended."""

    name: str
    argv: tuple[str, ...]
    role: str
    env: Mapping[str, str] = field(repr=False)
    account: Account | None = None  # None: as ourselves
    folder: Path | None = None  # working directory; None: ours
    stop_signal: signal.Signals = signal.SIGTERM


class Child:
    """Keeps one program running until it is told to end it."""

    def __init__(self, program: Program, *, run: str, log: Path) -> None:
        self.program = program
        self.restarts = 0
        self.log = log
        self._mark = f"{run}/{program.name}/"
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at: datetime | None = None
        self._started_s = 0.0
        self._quick_ends = 0
        self._next_start_s = 0.0
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """None while it waits for its next start, and after its end."""
        return self._process.pid if self._process else None

    def start(self) -> int:
        """Start it in a session of its own, with its output in the log; returns its pid."""
        account = self.program.account
        become = (str(account.uid), str(account.gid)) if account else ("-", "-")
        wrapper = (sys.executable, "-I", "-S", child.__file__, str(os.getpid()), *become)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  the Procfile's and our own programs
                [*wrapper, *self.program.argv],
                env={**self.program.env, MARK: self._mark},
                cwd=self.program.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started_s = time.monotonic()
        self._started_at = datetime.now(UTC)
        return self._process.pid

    def ended(self) -> str | None:
        """Notice an end: kill what it left, plan the next start, and say how it ended."""
        process = self._process
        if process is None or process.poll() is None:
            return None
        kill_remains(self._mark, {process.pid})
        self._process = None
        alive_s = time.monotonic() - self._started_s
        self._quick_ends = 0 if alive_s >= STEADY_AFTER_S else self._quick_ends + 1
        delay_s = restart_delay_s(self._quick_ends)
        self._next_start_s = time.monotonic() + delay_s
        how = _how(process.returncode)
        return how if self._stopping else f"{how}; starting again in {delay_s:g} s"

    def due(self) -> bool:
        """Whether it waits for a start whose time has come."""
        waiting = self._process is None and not self._stopping
        return waiting and time.monotonic() >= self._next_start_s

    def restart(self) -> int:
        """Start it once more; returns its new pid."""
        self.restarts += 1
        return self.start()

    def ask_to_end(self) -> None:
        """Send its stop signal, and never start it again."""
        self._stopping = True
        if self._process:
            self._process.send_signal(self.program.stop_signal)

    def kill(self) -> None:
        """SIGKILL it with everything it started."""
        self._stopping = True
        if self._process:
            kill_remains(self._mark, {self._process.pid})
            self._process.wait()
            self._process = None

    def document(self) -> dict[str, Any]:
        """Its entry in stack.json; `pid` is null while it waits for its next start."""
        return {
            "name": self.program.name,
            "role": self.program.role,
            "pid": self.pid,
            "started_at": rfc3339(self._started_at),
            "restarts": self.restarts,
        }


def restart_delay_s(quick_ends: int) -> float:
    """0.5 s after the first quick end, doubling to 15 s."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(max(quick_ends - 1, 0), 10))


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}"
