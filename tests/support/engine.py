"""Real worker and dispatcher processes for tests."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embedded import wait_until
from stellwerk.settings import Settings, environment

READY_WITHIN_S = 120.0
ENDED_WITHIN_S = 60.0

SLOTS = {"short": 4, "long": 2, "media": 1}
_CELERY = ("celery", "-A", "stellwerk_workers.app", "worker", "-E", "--without-gossip")
_POOLS = {"short": "threads", "long": "prefork", "media": "prefork"}


def _worker(role: str) -> tuple[str, ...]:
    queues, slots = f"{role},{role}_low", str(SLOTS[role])
    return (*_CELERY, "--without-mingle", "-Q", queues, "-P", _POOLS[role], "-c", slots)


COMMANDS = {
    **{role: _worker(role) for role in SLOTS},
    "dispatcher": ("stellwerk_workers.dispatcher",),
}
TELEPHONY = ("telephony", "telephony_2")  # only where a test starts them


@dataclass(slots=True)
class Engine:
    """The processes, by role."""

    settings: Settings
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, role: str) -> None:
        """Start a role and wait until it works."""
        log = self.folder / f"{role}-{os.urandom(4).hex()}.log"
        arguments = list(COMMANDS.get(role, ("stellwerk_workers.telephony",)))
        if role in SLOTS:
            arguments += ["-n", f"{role}-{os.getpid()}@%h"]
        with log.open("wb") as output:
            self.processes[role] = subprocess.Popen(  # noqa: S603  our own worker
                [sys.executable, "-m", *arguments],
                env=environment() | as_variables(self.settings),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: _is_up(log.read_text()), timeout_s=READY_WITHIN_S)

    def kill(self, role: str, signum: int = signal.SIGKILL) -> None:
        """Send a signal to a role's main process, and wait for its end if it ends it."""
        process = self.processes[role]
        process.send_signal(signum)
        if signum in {signal.SIGKILL, signal.SIGTERM}:
            process.wait(timeout=ENDED_WITHIN_S)

    def restart_what_ended(self) -> None:
        """Start roles again that a test killed."""
        for role, process in list(self.processes.items()):
            if process.poll() is not None:
                self.start(role)

    def stop(self) -> None:
        """End everything."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes.values():
            _end(process)


RUNNING: list[Engine] = []  # of this test process


@contextmanager
def running_engine(settings: Settings, folder: Path) -> Iterator[Engine]:
    """All roles, until the block ends."""
    engine = Engine(settings, folder)
    RUNNING.append(engine)
    try:
        for role in COMMANDS:
            engine.start(role)
        yield engine
    finally:
        RUNNING.remove(engine)
        engine.stop()


def stop_engines() -> None:
    """End the workers that earlier tests of this process left running for later ones."""
    for running in RUNNING:
        running.stop()


def as_variables(settings: Settings) -> dict[str, str]:
    """Settings as the environment of another process."""
    return {
        f"STELLWERK_{name.upper()}": _plain(getattr(settings, name))
        for name in settings.model_fields_set
    }


def _plain(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)


def _is_up(log: str) -> bool:
    assert "Traceback" not in log, log
    return " ready." in log or "dispatcher runs" in log or "telephony runs" in log


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=ENDED_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=ENDED_WITHIN_S)
