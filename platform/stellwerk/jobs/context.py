"""What a handler is given: steps, progress, artifacts, costs, effects and waits of its job.

Every write goes through `transaction()`, which first locks the job's row at this attempt, so
outcome, checkpoints, cost lines and domain rows commit together or not at all.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from stellwerk.db.engine import may_pass
from stellwerk.jobs import checkpoints, effects, lifecycle, sealed_files, waits
from stellwerk.jobs.attempt import Attempt
from stellwerk.jobs.checkpoints import Checkpoint, Place
from stellwerk.jobs.children import ChildEnd, ChildFailure, ChildJob, Children
from stellwerk.jobs.claims import Claim
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.jobs.effects import Effect
from stellwerk.jobs.interruptions import HandedOver
from stellwerk.jobs.model import JobArtifact, StepState
from stellwerk.jobs.ports import Event
from stellwerk.jobs.runtime import Runtime, Unit, unit
from stellwerk.jobs.sealing import MASKED
from stellwerk.jobs.staging import Staged
from stellwerk.jobs.stoppable import Stoppable
from stellwerk.tracing import span

Output = TypeVar("Output")

PROGRESS_EVERY_S = 0.5  # progress is coalesced to this

_PROGRESS = text("""
    UPDATE jobs SET version = version + 1, progress = greatest(progress, :progress),
        message = :message
    WHERE id = :id
""")
_ASYNC_COMMIT = text("SET LOCAL synchronous_commit = off")


class JobContext(Attempt, Stoppable):
    """One attempt of one job, seen by its handler."""

    def __init__(
        self,
        runtime: Runtime,
        claimed: Claim,
        *,
        make_workdir: Callable[[], Path],
        is_draining: Callable[[], bool],
    ) -> None:
        Attempt.__init__(self, runtime, claimed)
        Stoppable.__init__(self, is_draining)
        self._make_workdir = make_workdir
        self._storage = runtime.providers.artifacts
        self.is_settling = False  # the handler is done; only its outcome is being written
        self._checkpoints: dict[tuple[str, str], Checkpoint] = {}
        self._occurrences: Counter[str] = Counter()
        self.staged = Staged(claimed)
        self._children = Children(self)
        self.within_step: Place | None = None  # the step that runs now
        self._began_at = time.monotonic()
        self._told_at = 0.0
        self._version = claimed.version
        self._sequence = 0
        self.lease_deadline = claimed.asked_at + runtime.settings.job_lease_s

    # What it is

    @property
    def ran_s(self) -> float:
        """For how long it has been running."""
        return time.monotonic() - self._began_at

    @property
    def workdir(self) -> Path:
        """A folder of this attempt alone, removed afterwards; raises OSError."""
        return self._make_workdir()

    @property
    def step_name(self) -> str:
        """The name of the step that runs now; empty between steps."""
        return self.within_step[0] if self.within_step else ""

    # Recording

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction that only commits while this attempt stands; raises LeaseLost."""
        with self.fenced() as work:
            yield work.session

    @contextmanager
    def fenced(self) -> Iterator[Unit]:
        """The same, for those who change jobs in it."""
        with unit(self.runtime) as work:
            self._version = lifecycle.lock(work.session, self.claimed)
            yield work

    def load_checkpoints(self) -> None:
        """Read what earlier attempts recorded."""
        with self.runtime.sessions() as session:
            self._checkpoints = checkpoints.recorded(session, self)

    def occurrence(self, name: str) -> str:
        """A key that tells apart the first, second ... time this attempt comes to `name`."""
        self._occurrences[name] += 1
        return f"#{self._occurrences[name]}" if self._occurrences[name] > 1 else ""

    def recorded(self, name: str, key: str = "") -> Checkpoint | None:
        """What is stored of a step, if anything."""
        return self._checkpoints.get((name, key))

    def step(self, name: str, run: Callable[[], Output], *, key: str = "") -> Output:
        """Run a named part once: its output (JSON) is stored, and returned to later attempts."""
        known = self.recorded(name, key)
        if known and known.is_done:
            return known.output  # type: ignore[no-any-return]  # JSON of what `run` returned
        self._between_steps()
        intent = checkpoints.intent(self, name, key)
        with self.within((name, key)):
            self.record(intent)
            with span(name, tells_errors=not self.is_sensitive):
                output = run()
            self.record(replace(intent, state=StepState.DONE, output=output))
            reach(self.runtime, CrashPoint.BETWEEN_STEPS, self.job_id, step=name, key=key)
        return output

    @contextmanager
    def within(self, step: Place) -> Iterator[None]:
        """What happens in the block belongs to this step."""
        outer, self.within_step = self.within_step, step
        try:
            yield
        finally:
            self.within_step = outer

    def _between_steps(self) -> None:
        self.check()
        if self.draining:
            raise HandedOver

    def record(self, checkpoint: Checkpoint, *others: Checkpoint) -> None:
        """Store checkpoints together, with the artifacts and costs that belong to them."""
        with self.fenced() as work:
            self.flush(work.session)
            for one in (checkpoint, *others):
                checkpoints.store(work.session, self, one)
            whole = checkpoint.kind == "checkpoint" and not checkpoint.key
            fraction = float(checkpoint.is_done) if whole else None
            self._advance(work, fraction, checkpoint.step)
        self.settled()
        self.remember(checkpoint, *others)

    def remember(self, *stored: Checkpoint) -> None:
        """Note checkpoints that were stored in a transaction of the caller."""
        self._checkpoints |= {one.place: one for one in stored}

    def flush(self, session: Session, *, artifacts: bool = True) -> None:
        """Put staged costs, and artifacts, into this transaction; `settled` once it committed."""
        self.staged.flush(session, artifacts=artifacts)

    def settled(self, *, artifacts: bool = True) -> None:
        """What was flushed is committed."""
        self.staged.settle(artifacts=artifacts)

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell how far the present step (or a job without steps) is: 0.0 to 1.0.

        Coalesced to two a second, so it may be called as often as one likes; what an outage of
        the ledger swallows is told by the next call. Not within `transaction()`.
        """
        self.check()
        if time.monotonic() - self._told_at < PROGRESS_EVERY_S:
            return
        with self._unless_outage(), self.fenced() as work:
            told = "" if self.is_sensitive else message
            self._advance(work, min(max(fraction, 0.0), 1.0), told or self.step_name)

    @contextmanager
    def _unless_outage(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as exc:
            if not may_pass(exc):
                raise
            self._told_at = time.monotonic()

    def _advance(self, work: Unit, fraction: float | None, message: str) -> None:
        percent = checkpoints.percent(self.claimed.operation, self.step_name, fraction)
        values = {"id": self.job_id, "progress": percent, "message": message}
        work.session.execute(_PROGRESS, values)
        work.changed.add(self.job_id)
        self._version, self._sequence = self._version + 1, 0
        self._told_at = time.monotonic()

    def emit(self, event_type: str, data: dict[str, Any]) -> None:
        """Send watchers an event that is not kept in the ledger (a token, a preview).

        Of a sensitive job they hear that it happened, and nothing of its data.
        """
        if self._version == self.claimed.version and not self._sequence:
            with self._unless_outage():  # after this event it would be refused
                self.claimed.show()
        self._sequence += 1
        told = MASKED if self.is_sensitive else data
        event = Event(self.job_id, self._version, self._sequence, event_type, told)
        self.runtime.board.emit(event, self.owner_id)

    def log(self, message: str, *, level: str = "info", **fields: Any) -> None:
        """Write a line of the job's own log, seen by its owner; an outage swallows it."""
        with self._unless_outage(), self.runtime.sessions.begin() as session:
            session.execute(_ASYNC_COMMIT)
            session.add(self.log_line(message, level=level, **fields))

    def cost(self, provider: str, unit_name: str, quantity: Decimal, unit_price: Decimal) -> None:
        """Stage a cost line (EUR); it is kept even when the attempt fails, and only once."""
        self.staged.add_cost(
            self.step_name, provider, unit_name, quantity=quantity, unit_price=unit_price
        )

    def artifact(self, name: str, path: Path, content_type: str) -> None:
        """Upload a file; it becomes visible with the next checkpoint or the outcome."""
        key = f"{self.job_id}/{self.attempt}/{name}"
        if not self.is_sensitive:
            stored = self._storage.put(key, path, content_type)
            self.staged.add_artifact(name, key, content_type, stored)
            return
        stored, file_key = sealed_files.put(self._storage, key, path)
        sealed_key = self.runtime.vault.seal(file_key.decode(), str(self.job_id))
        self.staged.add_artifact(name, key, content_type, stored, sealed_key)

    def fetch(self, name: str) -> Path:
        """An artifact of this job as a file in `workdir`, whichever attempt made it."""
        path = self.workdir / name
        if not path.exists():
            with self.runtime.sessions() as session:
                found = session.get_one(JobArtifact, (self.job_id, name))
            sealed = sealed_files.sealed_file(self.runtime.vault, found)
            if sealed:
                sealed.get(self._storage, path)
            else:
                self._storage.get(found.storage_key, path)
        return path

    def checkpoints(self) -> Sequence[Checkpoint]:
        """All that is stored, in the order it was begun."""
        return list(self._checkpoints.values())

    # The outside world

    def effect(self, effect: Effect) -> Any:
        """Do it at most once over all attempts; see `effects.perform`."""
        return effects.perform(self, effect)

    def wait_for(self, signal: str, *, timeout_s: float | None = None, key: str = "") -> Any:
        """The data of the next signal of that name; see `waits.wait_for`."""
        return waits.wait_for(self, signal, timeout_s=timeout_s, key=key)

    def submit_child(self, operation: str, payload: dict[str, Any], *, key: str = "") -> UUID:
        """Make a job of its own for a part of this one; see `children.Children`."""
        return self.submit_children([ChildJob(operation, payload, key)])[0]

    def submit_children(self, wanted: Sequence[ChildJob]) -> list[UUID]:
        """The same for many at once."""
        return self._children.submit(wanted)

    def wait_children(
        self,
        keys: Iterable[str] | None = None,
        *,
        step: str | None = None,
        failure: ChildFailure = ChildFailure.FAIL_FAST,
    ) -> list[ChildEnd]:
        """How children ended, in order; the worker is given back meanwhile."""
        return self._children.wait(keys, step=step, failure=failure)
