"""Hard kills of workers under load: who is killed, when, and what is counted afterwards.

The same script is played to Stellwerk (kills_ours.py) and to bare Celery (kills_celery.py), so
that the figures stand side by side.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import psutil

POLL_S = 0.2
CALL_S = 0.05  # how long each call to the outside world takes
RESTART_ROOM_S = 1.0  # between two kills at least


class Fleet(Protocol):
    """Workers that can be killed and started again."""

    def workers(self) -> Mapping[str, int]:
        """Role to the pid of its main process."""

    def struck(self, role: str, *, is_whole: bool) -> None:
        """Called right after a kill in a role, before anything is started again."""

    def start(self, role: str) -> None:
        """Start a role again and wait until it works."""


@dataclass(slots=True)
class Tally:
    """What came of a run, as far as anybody can count it; every list names jobs."""

    jobs: int
    kills: int = 0
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)  # accepted, and never carried out
    twice: list[str] = field(default_factory=list)  # their effect happened more than once

    def row(self) -> dict[str, float | None]:
        """The figures that were measured, by their names in the table."""
        return {
            "jobs": self.jobs,
            "kills": self.kills,
            "lost": len(self.lost),
            "twice": len(self.twice),
            "duration, s": round(self.seconds, 1),
        }


def play(fleet: Fleet, *, jobs: int, kills: int, done: Callable[[], int], seed: int = 7) -> None:
    """Kill a worker each time another part of the jobs is done; it is started again at once.

    Which one is left to chance. Every second time only a child of it is killed, if it has any: a
    worker of threads has none.
    """
    chance = random.Random(seed)  # noqa: S311  not a secret
    for number in range(kills):
        _wait_for(done, jobs * (number + 1) // (kills + 1))
        role = chance.choice(sorted(fleet.workers()))
        pid = fleet.workers()[role]
        children = psutil.Process(pid).children()
        if number % 2 and children:
            os.kill(chance.choice(children).pid, signal.SIGKILL)
            fleet.struck(role, is_whole=False)
        else:
            os.killpg(pid, signal.SIGKILL)
            fleet.struck(role, is_whole=True)
            fleet.start(role)
        time.sleep(RESTART_ROOM_S)


def _wait_for(done: Callable[[], int], wanted: int) -> None:
    stuck_after = time.monotonic() + 300
    before = -1
    while (now := done()) < wanted:
        if now != before:
            before, stuck_after = now, time.monotonic() + 300
        assert time.monotonic() < stuck_after, f"stuck at {now} of {wanted}"
        time.sleep(POLL_S)
