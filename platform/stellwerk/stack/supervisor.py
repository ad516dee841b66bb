"""Keeps every process of a stack running, and ends them in order."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from stellwerk.errors import StackError
from stellwerk.stack.guard import Guard
from stellwerk.stack.process import Child, Program
from stellwerk.stack.remains import kill_remains
from stellwerk.stack.stopping import Stop

TICK_S = 0.1
HOPELESS_RESTARTS = 4  # within the start, a process that ends this often will not come up
LOG_TAIL_BYTES = 2000

# Who is ended together, in this order; roles not named here go with the workers.
STAGES: tuple[frozenset[str], ...] = (
    frozenset({"edge"}),
    frozenset({"web", "realtime", "gateway"}),
    frozenset({"beat", "dispatcher", "flower", "telephony"}),
    frozenset({"worker"}),
    frozenset({"redis", "switch"}),
    frozenset({"postgres"}),
)
WORKERS_STAGE = 3


class Supervisor:
    """Starts programs, restarts the ones that end, and ends all of them.

    `changed` is called after each start and end; `say` gets one line for the operator. All
    calls come from one thread: Linux ties a child's life to the thread that started it.
    """

    def __init__(self, *, run: str, logs: Path, guard: Guard, say: Callable[[str], None]) -> None:
        self.children: list[Child] = []
        self.changed: Callable[[], None] = lambda: None
        self._run = run
        self._logs = logs
        self._guard = guard
        self._say = say

    def add(self, program: Program) -> None:
        """Start a program and keep it running."""
        child = Child(program, run=self._run, log=self._logs / f"{program.name}.log")
        self.children.append(child)
        self._guard.watch(child.start())
        self.changed()

    def tick(self) -> None:
        """Notice what has ended, start what is due."""
        for child in self.children:
            how = child.ended()
            if how:
                self._say(f"{child.program.name} {how}")
            if child.due():
                self._guard.watch(child.restart())
            elif not how:
                continue
            self.changed()

    def documents(self) -> list[dict[str, Any]]:
        """Every process as stack.json shows it."""
        return [child.document() for child in self.children]

    def wait_for(
        self, what: str, ready: Callable[[], bool], *, stop: Stop, timeout_s: float
    ) -> None:
        """Supervise until `ready()`; raises StackError, with the log's end, where it never is."""
        deadline = time.monotonic() + timeout_s
        while not stop.requested and not ready():
            self.tick()
            hopeless = [c for c in self.children if c.restarts >= HOPELESS_RESTARTS]
            if hopeless:
                raise StackError(_failed_sentence(hopeless[0]))
            if time.monotonic() > deadline:
                raise StackError(f"{what} is not ready after {timeout_s:g} s; see {self._logs}")
            stop.wait(TICK_S)

    def end_all(
        self, stop: Stop, *, grace_s: float, at_last: Callable[[], None] = lambda: None
    ) -> None:
        """End every process, stage by stage; a second request kills all of them at once.

        `at_last` ends what is not ours to supervise, while the guard still watches.
        """
        for stage in range(len(STAGES)):
            members = [c for c in self.children if _stage(c.program.role) == stage]
            self._end(members, stop, grace_s)
        kill_remains(f"{self._run}/", ())
        try:
            at_last()
        finally:
            self._guard.dismiss()

    def _end(self, members: Sequence[Child], stop: Stop, grace_s: float) -> None:
        for child in members:
            child.ask_to_end()
        deadline = time.monotonic() + grace_s
        while any(c.pid for c in members) and not stop.urgent and time.monotonic() < deadline:
            stop.pause(TICK_S / 2)
            for child in members:
                child.ended()
        for child in members:
            if child.pid and not stop.urgent:
                self._say(f"{child.program.name} did not end within {grace_s:g} s and is killed")
            child.kill()
        self.changed()


def _stage(role: str) -> int:
    found = [index for index, roles in enumerate(STAGES) if role in roles]
    return found[0] if found else WORKERS_STAGE


def _failed_sentence(child: Child) -> str:
    return (
        f"{child.program.name} does not start. Its log ({child.log}) ends with:\n{tail(child.log)}"
    )


def tail(log: Path) -> str:
    """The last lines of a log, at most 2000 bytes."""
    with suppress(FileNotFoundError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
        return file.read().decode(errors="replace").strip()
    return "(empty)"
