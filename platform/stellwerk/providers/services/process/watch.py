"""Follows the health of one life of a program."""

import time
from enum import StrEnum

from stellwerk.providers.services.process.health import WELL, Check, ask
from stellwerk.providers.services.process.records import Task

# Until a program was found well for the first time, it is asked more often: somebody waits.
EARLY_GET_S = 0.2
EARLY_COMMAND_S = 1.0


class Health(StrEnum):
    """What is known of it."""

    UNKNOWN = "unknown"
    WELL = "well"
    ILL = "ill"


class Watch:
    """Asks when it is time, and counts the answers. `program` is the life's process."""

    def __init__(self, task: Task, nowhere: int, program: int = 0) -> None:
        self.health = Health.UNKNOWN
        self.reason = ""  # why the last check failed
        self._task = task
        self._nowhere = nowhere
        self._program = program
        self._began_s = time.monotonic()
        self._well_since_s = 0.0
        self._was_steady = False
        self._failures = 0
        self._next_s = 0.0
        self._check: Check | None = None

    @property
    def is_asking(self) -> bool:
        """Whether an answer is awaited."""
        return self._check is not None

    def is_steady(self, now_s: float) -> bool:
        """Whether it has been well for so long that earlier ends are forgotten."""
        steady_s = self._task.spec.restart.steady_s
        if self.health is Health.WELL and now_s - self._well_since_s >= steady_s:
            self._was_steady = True
        return self._was_steady

    def look(self, statuses: dict[int, int], now_s: float) -> None:
        """Ask, or hear the answer; never waits."""
        if self._check is None:
            if now_s < self._next_s:
                return
            self._next_s = now_s + self._pace_s(now_s)
            self._check = ask(
                self._task,
                self._nowhere,
                program=self._program,
                is_known=self.health is Health.WELL,
            )
        answer = self._check.answer(statuses)
        if answer is not None:
            self.close()
            self._count(answer, now_s)

    def close(self) -> None:
        """Await no answer any more."""
        if self._check:
            self._check.close()
        self._check = None

    def _count(self, answer: str, now_s: float) -> None:
        if answer == WELL:
            if self.health is not Health.WELL:
                self._well_since_s = now_s
            self.health, self.reason, self._failures = Health.WELL, "", 0
            return
        self.reason = answer
        if self._is_early(now_s):
            return
        self.is_steady(now_s)  # also where it ends up ill
        self._failures += 1
        if self._failures >= self._task.spec.health.retries:
            self.health = Health.ILL

    def _is_early(self, now_s: float) -> bool:
        start_s = self._task.spec.health.start_period_s
        return self.health is Health.UNKNOWN and now_s - self._began_s < start_s

    def _pace_s(self, now_s: float) -> float:
        health = self._task.spec.health
        if not self._is_early(now_s):
            return health.interval_s
        return min(health.interval_s, EARLY_COMMAND_S if health.command else EARLY_GET_S)
