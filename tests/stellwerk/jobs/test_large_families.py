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


def test_a_childs_end_does_not_carry_the_ids_of_all_that_are_awaited(platform: Platform) -> None:
    keys = [str(number) for number in range(50)]

    def handler(ctx: JobContext, payload: dict[str, Any]) -> None:
        if payload["value"]:
            ctx.submit_children([ChildJob(NAME, {"value": 0}, key) for key in (*keys, "other")])
            ctx.wait_children(keys)

    with trial(platform, handler) as run:
        parent = run.submit(value=1)
        run.attempt(parent)
        born = children(run, parent)
        with told(platform) as values:
            run.attempt(born["other"])
            run.attempt(born[keys[0]])
        assert run.row(parent).status == JobStatus.WAITING
        for key in keys[1:]:
            run.attempt(born[key])
        assert run.row(parent).status == JobStatus.QUEUED
    assert not any(str(born[keys[-1]]) in value for value in values)


@contextmanager
def told(platform: Platform) -> Iterator[list[str]]:
    """The values that statements are given in the block."""
    values: list[str] = []

    def heard(_: Any, __: Any, ___: str, given: Any, *____: Any) -> None:
        values.append(str(given))

    event.listen(platform.engine, "before_cursor_execute", heard)
    yield values
    event.remove(platform.engine, "before_cursor_execute", heard)


@contextmanager
def counted(platform: Platform) -> Iterator[list[str]]:
    """What the ledger is asked in the block."""
    statements: list[str] = []

    def heard(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    event.listen(platform.engine, "before_cursor_execute", heard)
    yield statements
    event.remove(platform.engine, "before_cursor_execute", heard)
