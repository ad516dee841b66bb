"""Runs attempts of made-up operations in the test's own process, on the real ledger."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from marshmallow import Schema, fields

from stellwerk.bootstrap import Platform
from stellwerk.jobs import claims, queries
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.model import Job, JobLog
from stellwerk.jobs.operation import Operation, Registry, RetryPolicy, Step
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.submission import Submission, submit
from stellwerk.settings import Settings
from stellwerk_workers import handlers
from stellwerk_workers.heartbeat import Heartbeat
from stellwerk_workers.reports import Report
from stellwerk_workers.runner import Runner

NAME = "trial.run"


class AnyPayload(Schema):
    """One optional field."""

    value = fields.Raw(load_default=None, allow_none=True)


@dataclass(slots=True)
class Trial:
    """A job of a made-up operation, and a worker that runs its attempts one by one."""

    runtime: Runtime
    runner: Runner
    draining: bool = False

    def submit(self, *, value: Any = 1, **fields: Any) -> UUID:
        """Submit a job of the operation."""
        values = {"owner_id": None, **fields}
        return submit(self.runtime, Submission(NAME, {"value": value}, **values))

    def attempt(self, job_id: UUID) -> Report:
        """Let the worker take the job once, as it stands now."""
        with self.runtime.sessions() as session:
            attempt = session.get_one(Job, job_id).attempt
        return self.runner.run(Wakeup(job_id, attempt, NAME, "short"), "trial")

    def claim(
        self, job_id: UUID, *, attempt: int | None = None, token: UUID | None = None
    ) -> claims.Claim | None:
        """Take the job, and leave it at that."""
        made = self.row(job_id).attempt if attempt is None else attempt
        wakeup = Wakeup(job_id, made, NAME, "short")
        return claims.claim(self.runtime, wakeup, "trial", token or uuid4())

    def logs(self, job_id: UUID) -> Sequence[JobLog]:
        """What the job's log says."""
        with self.runtime.sessions() as session:
            return queries.logs(session, job_id, after_id=0, limit=100)

    def document(self, job_id: UUID) -> dict[str, Any]:
        """The job as clients see it."""
        with self.runtime.sessions() as session:
            return queries.change(session, self.runtime.registry, job_id).document

    def row(self, job_id: UUID) -> Job:
        """The job as the ledger has it."""
        with self.runtime.sessions() as session:
            return session.get_one(Job, job_id)


@contextmanager
def trial(
    platform: Platform,
    handler: Callable[[JobContext, dict[str, Any]], Any],
    *,
    undo: dict[str, Callable[[JobContext, Any], None]] | None = None,
    settings: Settings | None = None,
    **declared: Any,
) -> Iterator[Trial]:
    """Declare `trial.run` with this handler, for the block."""
    operation = Operation(
        name=NAME,
        summary="A trial",
        payload=AnyPayload,
        queue="short",
        permission="jobs:submit",
        **{
            "time_limit_s": 30,
            "retry": RetryPolicy(max_attempts=3, base_s=0.0, max_s=0.0),
            "steps": tuple(Step(name, undo=True) for name in undo or ()),
            **declared,
        },
    )
    runtime = replace(
        platform.runtime,
        registry=Registry((operation,)),
        settings=settings or platform.settings,
    )
    heartbeat = Heartbeat(runtime)
    made = Trial(runtime, Runner(runtime, heartbeat, lambda: made.draining))
    try:
        with _registered(handler, undo or {}):
            yield made
    finally:
        heartbeat.stop()
        made.runner.workdirs.close()


@contextmanager
def _registered(
    handler: Callable[[JobContext, dict[str, Any]], Any],
    undo: dict[str, Callable[[JobContext, Any], None]],
) -> Iterator[None]:
    handlers.handles(NAME)(handler)
    for step, function in undo.items():
        handlers.undoes(NAME, step)(function)
    try:
        yield
    finally:
        handlers.forget(NAME)
