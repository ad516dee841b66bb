"""Ends the attempts of lists in groups, on a thread with a connection of its own.

A finished job never waits for the next handler: as soon as the thread is free it takes what has
gathered, ends it in one statement, shows it in one trip, and tells Flower in one message.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.jobs.claims import Claim
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.outcomes import Ended
from stellwerk_workers.reports import Came, Report
from stellwerk_workers.runner import Runner

log = structlog.get_logger()

GROUP = 100  # attempts ended in one statement
MOST_WAITING = 1000  # then handlers wait


@dataclass(frozen=True, slots=True)
class Told:
    """An attempt that is over, for Flower: what it came to, and after how long."""

    claimed: Claim
    report: Report
    ran_s: float


@dataclass(frozen=True, slots=True)
class Due:
    """An attempt whose outcome is to be written; `settled` is called once it was."""

    ctx: JobContext
    ended: Ended
    settled: Callable[[], None]


Item = Due | Told


class Finisher:
    """The process's thread; it starts with the first attempt."""

    def __init__(self, runner: Runner, tell: Callable[[Sequence[Told]], None]) -> None:
        self._runner = runner
        self._tell = tell
        self._due: deque[Item] = deque()
        self._changed = Condition()
        self._thread: Thread | None = None
        self._is_stopping = False

    def add(self, due: Item) -> None:
        """Let it be written, or only told; waits while very many do."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._due) < MOST_WAITING)
            self._due.append(due)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="finisher", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """Write what is left and end the thread."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while group := self._take():
            due = [item for item in group if isinstance(item, Due)]
            self._write(group, due)
            for item in due:
                item.settled()

    def _write(self, group: Sequence[Item], due: Sequence[Due]) -> None:
        try:
            self._tell(self._settle(group, due))
        except Exception:  # the thread's edge: these leases expire, those of later groups must not
            log.exception("outcomes not written", count=len(due))

    def _take(self) -> list[Item]:
        """What has gathered; nothing only when it is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._due or self._is_stopping)
            group = [self._due.popleft() for _ in range(min(GROUP, len(self._due)))]
            self._changed.notify_all()
            return group

    def _settle(self, group: Sequence[Item], due: Sequence[Due]) -> list[Told]:
        finished = self._finish(due)
        return [item if isinstance(item, Told) else self._told(item, finished) for item in group]

    def _told(self, due: Due, finished: set[UUID]) -> Told:
        claimed, outcome = due.ended.claimed, due.ended.outcome
        if claimed.job_id in finished:
            reason = str((outcome.error or {}).get("message", ""))
            report = Report(Came(outcome.status.value), reason)
        else:
            report = self._runner.settle(due.ctx, outcome)
        return Told(claimed, report, due.ended.ran_s)

    def _finish(self, group: Sequence[Due]) -> set[UUID]:
        """Those that ended together; one that cannot be stored sends all on the long way."""
        if not group:
            return set()
        try:
            return self._runner.finish([due.ended for due in group])
        except (SQLAlchemyError, ValueError, TypeError) as exc:
            log.warning("outcomes not written together", reason=str(exc).splitlines()[0])
            return set()


@dataclass(slots=True)
class Settling:
    """The attempts of one list that are not settled yet."""

    finisher: Finisher
    deferred: UUID | None = None  # the job whose outcome was deferred last
    _open: int = 0
    _changed: Condition = field(default_factory=Condition)

    def add(self, ctx: JobContext, ended: Ended) -> None:
        """Defer an outcome."""
        with self._changed:
            self._open += 1
            self.deferred = ctx.job_id
        self.finisher.add(Due(ctx, ended, self._settled))

    def wait(self) -> None:
        """Until every outcome that was deferred is written."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open)

    def _settled(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify_all()
