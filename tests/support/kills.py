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

    def start(self, role: str) -> None:
        """Start a role again and wait until it works."""


@dataclass(slots=True)
class Tally:
    """What came of a run; every list names jobs."""

    jobs: int
    kills: int = 0
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)  # accepted, and never carried out
    twice: list[str] = field(default_factory=list)  # their effect happened more than once
    uncertain: int = 0  # reported to a person: nobody can tell whether it happened
    doubts_at_most: int = 0  # calls that the kills can have interrupted
    compared: int = 0  # jobs whose status in Redis was held against the ledger
    wrong: list[str] = field(default_factory=list)  # the status that clients see is not the truth
    slowest_rescue_s: float = 0.0  # from a kill until its jobs were given back

    def row(self) -> dict[str, object]:
        """The figures."""
        return {
            "jobs": self.jobs,
            "kills": self.kills,
            "lost": len(self.lost),
            "twice": len(self.twice),
            "uncertain": self.uncertain,
            "statuses compared": self.compared,
            "wrong status": len(self.wrong),
            "slowest rescue, s": round(self.slowest_rescue_s, 1),
            "duration, s": round(self.seconds, 1),
        }


def play(fleet: Fleet, *, jobs: int, kills: int, done: Callable[[], int], seed: int = 7) -> None:
    """Kill a worker each time another part of the jobs is done; it is started again at once.

    By turns a whole worker with its children is killed, and a single child of one.
    """
    chance = random.Random(seed)  # noqa: S311  not a secret
    for number in range(kills):
        _wait_for(done, jobs * (number + 1) // (kills + 1))
        role = chance.choice(sorted(fleet.workers()))
        pid = fleet.workers()[role]
        children = psutil.Process(pid).children()
        if number % 2 and children:
            os.kill(chance.choice(children).pid, signal.SIGKILL)
        else:
            os.killpg(pid, signal.SIGKILL)
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
