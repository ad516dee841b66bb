"""Keeps one service running until it is told to end it, or its restarts are used up."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from stellwerk.providers.services.process.cgroup import (
    make_group,
    ran_out_of_memory,
    remove_group,
)
from stellwerk.providers.services.process.descent import (
    descendants,
    end_descendants,
    reap,
    thread_count,
)
from stellwerk.providers.services.process.ears import Ears
from stellwerk.providers.services.process.log import LogWriter
from stellwerk.providers.services.process.memory import memory_bytes
from stellwerk.providers.services.process.program import Started, start
from stellwerk.providers.services.process.records import Course, Records, Task
from stellwerk.providers.services.process.watch import Health, Watch
from stellwerk.providers.services.protocol import OVER, RestartPolicy, ServiceStatus

LONGEST_DELAY_S = 15.0
MEASURE_EVERY_S = 0.5
ASKING_S = 0.02
STARTING_S = 0.1
IDLE_S = 0.5
MOST_PARTS = 16  # more than a pipe holds
MIB = 1024**2


class Keeper:
    """One thread that never waits for anything but the next thing to happen."""

    def __init__(self, records: Records, task: Task, ears: Ears) -> None:
        self._records = records
        self._task = task
        self._ears = ears
        self._log = LogWriter(records.path)
        self._nowhere = os.open(os.devnull, os.O_WRONLY)
        self._course = Course(os.getpid(), ServiceStatus.STARTING)
        self._is_noted = True
        self._statuses: dict[int, int] = {}
        self._program: Started | None = None
        self._watch = Watch(task, self._nowhere)
        self._ends_in_a_row = 0
        self._next_start_s = 0.0
        self._next_measure_s = 0.0
        self._deadline_s: float | None = None  # when a program that was asked to end is killed
        self._reason = ""  # why it was

    def run(self, begun: Callable[[], None]) -> None:
        """Keep the service; `begun` is called when its first program is on its way."""
        self._start()
        begun()
        while self._course.status not in OVER:
            self._log.write(self._ears.listen(self._patience_s()))
            own = self._program.pid if self._program else 0
            self._statuses = {pid: how for pid, how in self._statuses.items() if pid == own}
            reap(self._statuses)
            if not self._is_noted:
                self._write_down()
            self._step(time.monotonic())

    def close(self) -> None:
        """End what runs, whatever became of the keeper."""
        end_descendants(self._statuses)
        self._hear_out()
        remove_group(make_group(self._task.spec.name, self._task.spec.limits))

    def _step(self, now_s: float) -> None:
        program = self._program
        if program is None:
            self._between(now_s)
        elif program.pid in self._statuses:
            self._ended(self._statuses.pop(program.pid), now_s)
        elif self._deadline_s is not None:
            if now_s >= self._deadline_s or self._ears.in_a_hurry:
                end_descendants(self._statuses)
        elif self._ears.asked_to_stop:
            self._end(program, "", now_s)
        else:
            self._look(program, now_s)

    def _between(self, now_s: float) -> None:
        if self._ears.asked_to_stop:
            self._note(status=ServiceStatus.STOPPED, message="")
        elif now_s >= self._next_start_s:
            self._course = replace(self._course, restarts=self._course.restarts + 1)
            self._start()

    def _start(self) -> None:
        self._deadline_s, self._reason = None, ""
        try:
            self._program = start(self._task, self._task.spec.command, self._ears.output)
        except OSError as exc:
            self._plan_next(f"Cannot be started: {exc.strerror}.", time.monotonic())
            return
        self._watch = Watch(self._task, self._nowhere, self._program.pid)
        self._note(
            status=ServiceStatus.STARTING, started_at=datetime.now(UTC), program=self._program.pid
        )

    def _look(self, program: Started, now_s: float) -> None:
        if now_s >= self._next_measure_s:
            self._next_measure_s = now_s + MEASURE_EVERY_S
            excess = self._excess()
            if excess:
                self._end(program, excess, now_s, grace_s=0.0)
                return
        before = self._watch.health
        self._watch.look(self._statuses, now_s)
        if self._watch.health is before:
            return
        if self._watch.health is Health.WELL:
            self._note(status=ServiceStatus.RUNNING)
            return
        reason = f"Not healthy: {self._watch.reason}."
        self._note(status=ServiceStatus.UNHEALTHY, message=reason)
        self._end(program, reason, now_s)

    def _excess(self) -> str:
        """What it takes beyond its limits, as a sentence; empty where it does not."""
        limits = self._task.spec.limits
        pids = descendants(os.getpid())
        threads = len(pids) if len(pids) > limits.processes else thread_count(pids)
        if threads > limits.processes:
            return f"Ran {threads} processes and threads, more than its {limits.processes}."
        used = memory_bytes(pids, limits.memory_bytes)
        if used > limits.memory_bytes:
            allowed = limits.memory_bytes // MIB
            return f"Used {used // MIB} MiB of memory, more than its {allowed} MiB."
        return ""

    def _end(
        self, program: Started, reason: str, now_s: float, *, grace_s: float | None = None
    ) -> None:
        """Ask the program to end; it is killed, with all that it started, when time is up."""
        self._watch.close()
        self._reason = reason
        grace = self._task.spec.stop_grace_s if grace_s is None else grace_s
        self._deadline_s = now_s + grace
        program.signal(signal.SIGTERM if grace else signal.SIGKILL)  # a whole group at a stroke
        if not grace:
            end_descendants(self._statuses)

    def _ended(self, status: int, now_s: float) -> None:
        steady = self._watch.is_steady(now_s)
        self._watch.close()
        if end_descendants(self._statuses):  # else whoever removes it has something to look for
            self._course = replace(self._course, program=None)
        self._hear_out()
        self._program = None
        if self._ears.asked_to_stop:
            self._note(status=ServiceStatus.STOPPED, message="")
            return
        self._ends_in_a_row = 0 if steady else self._ends_in_a_row
        self._plan_next(self._reason or self._how_it_ended(status), now_s)

    def _how_it_ended(self, status: int) -> str:
        spec = self._task.spec
        if not ran_out_of_memory(spec.name):
            return how_it_ended(status)
        remove_group(make_group(spec.name, spec.limits))  # the next one's counts anew
        return f"Used more memory than its {spec.limits.memory_bytes // MIB} MiB."

    def _plan_next(self, message: str, now_s: float) -> None:
        self._ends_in_a_row += 1
        delay_s = restart_delay_s(self._task.spec.restart, self._ends_in_a_row)
        if delay_s is None:
            self._note(status=ServiceStatus.FAILED, message=message)
            return
        self._next_start_s = now_s + delay_s
        ill = self._course.status is ServiceStatus.UNHEALTHY
        status = ServiceStatus.UNHEALTHY if ill else ServiceStatus.STARTING
        self._note(status=status, message=message)

    def _hear_out(self) -> None:
        for _ in range(MOST_PARTS):  # another process may hold the pipe, and go on
            self._log.write(self._ears.heard())
        self._log.end_line()

    def _patience_s(self) -> float:
        if self._watch.is_asking:
            return ASKING_S
        if self._program is None:
            return min(IDLE_S, self._next_start_s - time.monotonic())
        is_idle = self._course.status is ServiceStatus.RUNNING and self._deadline_s is None
        return IDLE_S if is_idle else STARTING_S

    def _note(self, **changes: object) -> None:
        self._course = replace(self._course, **changes)  # type: ignore[arg-type]  # fields of Course
        self._write_down()

    def _write_down(self) -> None:
        """On a full disk the service goes on, and this is tried again."""
        self._is_noted = False
        with suppress(OSError):
            self._records.write_course(self._course)
            self._is_noted = True


def restart_delay_s(policy: RestartPolicy, ends_in_a_row: int) -> float | None:
    """How long to wait after so many ends; None: it has failed."""
    if ends_in_a_row > policy.attempts:
        return None
    doublings = min(ends_in_a_row - 1, 20)
    return float(min(LONGEST_DELAY_S, policy.delay_s * 2**doublings))


def how_it_ended(status: int) -> str:
    """A sentence about what waitpid(2) gave."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"Ended with exit code {code}."
    return f"Was ended by {signal.Signals(-code).name}."
