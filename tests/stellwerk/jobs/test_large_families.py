"""Families of thousands."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import event, func, update

from families_of_trials import children, parent_of
from stellwerk.bootstrap import Platform
from stellwerk.jobs import control, families
from stellwerk.jobs.children import ChildJob
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.model import Job
from stellwerk.jobs.states import JobStatus
from trial import NAME, trial

HOUR = timedelta(hours=1)


def test_a_thousand_children_are_queued_again_in_few_statements(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.submit_children([ChildJob(NAME, {"value": i}, str(i)) for i in range(1000)])
        ctx.wait_children()

    with trial(platform, handler) as run:
        parent = run.submit()
        run.attempt(parent)
        control.cancel(run.runtime, parent)
        while families.cancel_abandoned(run.runtime):
            pass
        with counted(platform) as statements:
            control.retry(run.runtime, parent)
        born = children(run, parent)
        found = [run.row(child) for child in born.values()]
    assert len(born) == 1000
    assert {(job.status, job.error is None) for job in found} == {(JobStatus.QUEUED, True)}
    assert len(statements) < 25


def test_children_that_workers_hold_are_told_to_stop_in_few_statements(platform: Platform) -> None:
    with trial(platform, parent_of(*map(str, range(100)))) as run:
        parent = run.submit()
        run.attempt(parent)
        born = children(run, parent)
        with run.runtime.sessions.begin() as session:
            held = {"status": "running", "attempt": 1, "lease_until": func.now() + HOUR}
            session.execute(update(Job).where(Job.parent_id == parent).values(**held))
        control.cancel(run.runtime, parent)
        with counted(platform) as statements:
            assert families.cancel_abandoned(run.runtime) == 100
        found = [run.row(child) for child in born.values()]
    assert all(job.status == "running" and job.cancel_requested_at for job in found)
    assert len(statements) < 25


@contextmanager
def counted(platform: Platform) -> Iterator[list[str]]:
    """What the ledger is asked in the block."""
    statements: list[str] = []

    def heard(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    event.listen(platform.engine, "before_cursor_execute", heard)
    yield statements
    event.remove(platform.engine, "before_cursor_execute", heard)
