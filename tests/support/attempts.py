"""Lets a worker in the test's own process take jobs, one attempt at a time."""

from uuid import UUID

from results import assert_result_fits
from stellwerk.bootstrap import registry
from stellwerk.jobs import queries
from stellwerk.jobs.model import Job
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import Runtime
from stellwerk_workers.handlers import load_handlers
from stellwerk_workers.heartbeat import Heartbeat
from stellwerk_workers.reports import Came
from stellwerk_workers.runner import Runner


def attempt(runtime: Runtime, job_id: UUID) -> Came:
    """One attempt of the job, as if it were due now."""
    load_handlers()
    with runtime.sessions.begin() as session:
        job = session.get_one(Job, job_id)
        job.run_at, made, operation = job.created_at, job.attempt, job.operation
    heartbeat = Heartbeat(runtime)
    wakeup = Wakeup(job_id, made, operation, "short")
    report = Runner(runtime, heartbeat, lambda: False).run(wakeup, "test")
    heartbeat.stop()
    if report.came is Came.COMPLETED:
        _require_result_that_fits(runtime, job_id)
    return report.came


def _require_result_that_fits(runtime: Runtime, job_id: UUID) -> None:
    """Of operations in the catalogue; what tests make up is not in it."""
    known = registry()
    with runtime.sessions() as session:
        name = session.get_one(Job, job_id).operation
        if name in known and known.get(name).result:
            assert_result_fits(queries.unsealed(session, known, runtime.vault, job_id))
