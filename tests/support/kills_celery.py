"""Bare Celery under the same kills, with the settings its documentation recommends for tasks
that must not be lost: late acknowledgement, rejection when a worker is lost, no prefetching."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from celery import Celery

from embedded import wait_until
from kills import CALL_S, Tally, play
from stellwerk.settings import environment

VISIBILITY_TIMEOUT_S = 30  # then Redis gives out again what a killed worker had taken
QUIET_S = 2 * VISIBILITY_TIMEOUT_S + 15  # nothing new for so long: what is missing is lost
OVER_WITHIN_S = 3600.0  # however slowly it goes on
ROLES = ("first", "second")
CELERY = (
    *(sys.executable, "-m", "celery", "-A", "bare_celery", "worker"),
    *("-c", "4", "-l", "INFO", "--without-gossip"),
)

APP = f"""
import os
import time
from celery import Celery

app = Celery("bare", broker=os.environ["BARE_BROKER"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={{"visibility_timeout": {VISIBILITY_TIMEOUT_S}}},
)


@app.task(name="bare.effect")
def effect(number):
    time.sleep({CALL_S})
    with open(os.environ["BARE_RECORD"], "a") as file:
        file.write(f"{{number}}\\n")
"""


class BareFleet:
    """Two prefork workers of a bare Celery application."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.record = folder / "record"
        self.record.touch()
        self._folder = folder
        self._env = {"BARE_BROKER": redis_url, "BARE_RECORD": str(self.record)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "bare_celery.py").write_text(APP)

    def workers(self) -> Mapping[str, int]:
        """Role to pid."""
        return {role: process.pid for role, process in self._processes.items()}

    def struck(self, role: str, *, is_whole: bool) -> None:
        """Nobody could tell what it took."""

    def start(self, role: str) -> None:
        """Start a worker and wait until it is ready."""
        if role in self._processes:
            self._processes[role].wait(30)
        log = self._folder / f"{role}-{time.monotonic_ns()}.log"
        with log.open("wb") as output:
            self._processes[role] = subprocess.Popen(  # noqa: S603  our own worker
                [*CELERY, "-n", f"{role}-{os.getpid()}@%h"],
                cwd=self._folder,
                env=environment() | self._env | {"PYTHONPATH": str(self._folder)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: " ready." in log.read_text(), timeout_s=60)

    def done(self) -> int:
        """Tasks whose effect happened."""
        return len(set(self.record.read_text().split()))

    def stop(self) -> None:
        """End every worker."""
        for process in self._processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


@dataclass(slots=True)
class Seen:
    """How much was done when it was looked at last, and when that changed."""

    done: int = -1
    changed_at: float = field(default_factory=time.monotonic)

    def look(self, done: int) -> int:
        """Note what is done now."""
        if done != self.done:
            self.done, self.changed_at = done, time.monotonic()
        return done

    def unchanged_s(self) -> float:
        """How long nothing more was done."""
        return time.monotonic() - self.changed_at


def run_celery(folder: Path, redis_url: str, *, jobs: int, kills: int) -> Tally:
    """Send, kill, wait until nothing comes any more, and count."""
    fleet = BareFleet(folder, redis_url)
    sender = Celery("bare", broker=redis_url)
    began = time.monotonic()
    try:
        for role in ROLES:
            fleet.start(role)
        for number in range(jobs):
            sender.send_task("bare.effect", (number,))
        play(fleet, jobs=jobs, kills=kills, done=fleet.done)
        ended = _wait_for_quiet(fleet, jobs)
    finally:
        fleet.stop()
        sender.close()
    counts = Counter(fleet.record.read_text().split())
    return Tally(
        jobs,
        kills,
        ended - began,
        lost=[str(number) for number in range(jobs) if str(number) not in counts],
        twice=[number for number, count in counts.items() if count > 1],
    )


def _wait_for_quiet(fleet: BareFleet, jobs: int) -> float:
    """Until everything is done, or nothing came for QUIET_S; returns when the last came."""
    seen = Seen()
    wait_until(
        lambda: seen.look(fleet.done()) >= jobs or seen.unchanged_s() > QUIET_S,
        timeout_s=OVER_WITHIN_S,
    )
    return seen.changed_at
