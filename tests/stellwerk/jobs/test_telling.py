"""An end stands, whatever those do who are told of it; they are told again until they hear."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, text, true, update
from sqlalchemy.orm import Session

from embedded import wait_until
from errors_of_postgres import stop_at_commit, stops
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.errors import JobFailed
from stellwerk.jobs import budget, control, families, telling
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.model import Job, JobLog, OwedEnd
from stellwerk.jobs.operation import Registry, RetryPolicy
from stellwerk.jobs.runtime import Runtime, Unit
from stellwerk.jobs.submission import Submission, accept
from stellwerk_workers.dispatcher import Dispatcher
from stellwerk_workers.reports import Came
from trial import NAME, Trial, trial

CALLBACK = "https://example.com/told"


@dataclass(slots=True)
class Domain:
    """Hears of ends, once it was told often enough."""

    deaf_for: int
    raises: Callable[[Session], None]
    heard: list[str] = field(default_factory=list)
    asked: int = 0

    def hear(self, session: Session, job: Job, runtime: Runtime) -> None:
        """The hook: leaves a trace in the ledger, and perhaps raises after it."""
        del runtime
        self.asked += 1
        session.add(JobLog(job_id=job.id, attempt=job.attempt, level="info", message="heard"))
        session.flush()
        if self.asked <= self.deaf_for:
            self.raises(session)
        self.heard.append(job.status)


def looks_in_vain(_: Session) -> None:
    raise LookupError("no such row")


def breaks_a_rule(session: Session) -> None:
    session.execute(text("INSERT INTO queue_states (name) VALUES (NULL)"))


def refuses(_: Session) -> None:
    raise JobFailed("not now")


def cannot_store(_: Session) -> None:
    raise ValueError("a\x00b")


def takes_too_long(session: Session) -> None:
    session.execute(text("SET LOCAL statement_timeout = 20"))
    session.execute(text("SELECT pg_sleep(60)"))


@pytest.mark.parametrize(
    "raises",
    [looks_in_vain, breaks_a_rule, refuses, cannot_store, takes_too_long, partial(stops, "55P03")],
)
def test_a_hook_that_raises_neither_loses_the_end_nor_repeats_the_work(
    platform: Platform, raises: Any
) -> None:
    ran, domain = [], Domain(1, raises)

    def handler(ctx: JobContext, _: dict[str, Any]) -> dict[str, int]:
        ran.append(ctx.attempt)
        return {"made": 7}

    with trial(platform, handler, on_end=domain.hear) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.COMPLETED
        job = run.document(job_id)
        assert (job["status"], job["result"]) == ("completed", {"made": 7})
        assert "on_end failed, it is tried again" in run.logs(job_id)[-1].message
        assert "heard" not in [line.message for line in run.logs(job_id)]

        come_due(run)
        assert telling.tell_owed(run.runtime) == 1
        assert telling.tell_owed(run.runtime) == 0
        assert owed(run) == 0
        assert [line.message for line in run.logs(job_id)][-2:] == ["heard", "on_end was told"]
    assert (ran, domain.heard) == ([1], ["completed"])


def test_a_job_that_fails_for_good_ends_so_and_its_hook_is_told_ever_more_rarely(
    platform: Platform,
) -> None:
    def handler(*_: Any) -> None:
        raise RuntimeError("a bug")

    domain = Domain(3, looks_in_vain)
    with trial(platform, handler, on_end=domain.hear, retry=RetryPolicy(max_attempts=1)) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.FAILED
        pauses = [pause_s(run)]
        come_due(run, after=timedelta(minutes=1))
        assert telling.tell_owed(run.runtime) == 0, "not due yet"
        assert domain.asked == 1
        for _ in range(2):
            come_due(run)
            assert telling.tell_owed(run.runtime) == 0
            pauses.append(pause_s(run))
        come_due(run)
        assert telling.tell_owed(run.runtime) == 1
    assert pauses == [5, 10, 20]
    assert domain.heard == ["failed"]


def test_a_cancel_takes_effect_whatever_its_hook_does(platform: Platform) -> None:
    with cancelled(platform) as (run, job_id, _):
        assert run.document(job_id)["status"] == "cancelled"
        assert owed(run) == 1


def test_a_hook_and_the_listeners_stand_in_nobodys_way(platform: Platform) -> None:
    """What a listener submitted before it raised is neither stored nor sent."""
    domain, told = Domain(9, looks_in_vain), []

    def listen(runtime: Runtime, work: Unit, job: Job) -> None:
        accept(runtime, work, Submission(NAME, {"value": 2}, None), {"value": 2})
        told.append(job.status)
        if len(told) == 1:
            raise LookupError("no receiver")

    listening = replace(platform, runtime=replace(platform.runtime, ended=(listen,)))
    with trial(listening, lambda *_: None, on_end=domain.hear) as run:
        job_id = run.submit(owner_id=add_user(platform), callback_url=CALLBACK)
        run.attempt(job_id)
        assert (owed(run), jobs(run)) == (2, 1)
        come_due(run)
        assert telling.tell_owed(run.runtime) == 1
        assert (owed(run), jobs(run)) == (1, 2)
    assert told == ["completed", "completed"]


def test_a_job_that_is_retried_owes_nobody_its_former_end(platform: Platform) -> None:
    with cancelled(platform) as (run, job_id, domain):
        control.retry(run.runtime, job_id)
        assert owed(run) == 0
        run.attempt(job_id)
    assert domain.heard == ["completed"]


def test_a_job_that_was_removed_owes_nobody_anything(platform: Platform) -> None:
    with cancelled(platform) as (run, job_id, _):
        with run.runtime.sessions.begin() as session:
            session.execute(delete(Job).where(Job.id == job_id))
        assert owed(run) == 0


def test_an_end_that_cannot_be_told_nor_owed_anew_stands_in_nobodys_way(
    platform: Platform,
) -> None:
    broken: set[UUID] = set()

    def hear(session: Session, job: Job, _: Runtime) -> None:
        if len(broken) == 2:
            raise LookupError("no such row")
        if job.id in broken:
            stop_at_commit(session, "57014")

    with trial(platform, lambda *_: None, on_end=hear) as run:
        first, second = run.submit(), run.submit()
        broken |= {first, second}
        control.cancel(run.runtime, first)
        control.cancel(run.runtime, second)
        broken.remove(second)
        come_due(run, first)
        come_due(run, second)
        assert telling.tell_owed(run.runtime) == 1
        with run.runtime.sessions() as session:
            left = session.scalars(select(OwedEnd)).one()
            assert left.job_id == first
            assert session.scalar(select(left.due_at > func.now()))


def test_ends_that_take_long_are_told_over_several_sweeps(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow: list[UUID] = []

    def hear(session: Session, job: Job, _: Runtime) -> None:
        if job.id not in slow:
            slow.append(job.id)
            raise LookupError("no such row")
        session.execute(text("SELECT pg_sleep(0.1)"))

    # Used up by one slow hook: this suite lets sweeps take their time otherwise.
    monkeypatch.setattr(budget, "BUDGET_S", 0.1)
    with trial(platform, lambda *_: None, on_end=hear) as run:
        for _ in range(2):
            control.cancel(run.runtime, run.submit())
            come_due(run, slow[-1])
        assert telling.tell_owed(run.runtime) == 1
        assert telling.tell_owed(run.runtime) == 1
        assert owed(run) == 0


def unhurried(run: Trial, job_id: UUID) -> None:
    control.cancel(unknowing(run), job_id)


def with_others(run: Trial, job_id: UUID) -> None:
    assert families.cancel_all(unknowing(run), [job_id]) == 1


@pytest.mark.parametrize("cancel", [unhurried, with_others])
def test_a_process_that_does_not_know_the_operation_owes_its_hook_to_one_that_does(
    platform: Platform, cancel: Callable[[Trial, UUID], None]
) -> None:
    domain = Domain(0, looks_in_vain)
    with trial(platform, lambda *_: None, on_end=domain.hear) as run:
        job_id = run.submit()
        cancel(run, job_id)
        assert run.row(job_id).status == "cancelled"
        come_due(run)
        assert telling.tell_owed(unknowing(run)) == 0
        assert domain.heard == []
        come_due(run)
        assert telling.tell_owed(run.runtime) == 1
        assert owed(run) == 0
    assert domain.heard == ["cancelled"]


def unknowing(run: Trial) -> Runtime:
    """That of a process of another release."""
    return replace(run.runtime, registry=Registry(()))


def test_the_dispatcher_tells_them(platform: Platform) -> None:
    with cancelled(platform) as (run, _, domain):
        come_due(run)
        dispatcher = Dispatcher(replace(platform, runtime=run.runtime))
        wait_until(lambda: dispatcher.turn() or domain.heard)
    assert domain.heard == ["cancelled"]


@contextmanager
def cancelled(platform: Platform) -> Iterator[tuple[Trial, UUID, Domain]]:
    """A job that was cancelled while its hook was deaf."""
    domain = Domain(1, looks_in_vain)
    with trial(platform, lambda *_: None, on_end=domain.hear) as run:
        job_id = run.submit()
        control.cancel(run.runtime, job_id)
        yield run, job_id, domain


def come_due(run: Trial, job_id: UUID | None = None, after: timedelta = timedelta(0)) -> None:
    which = OwedEnd.job_id == job_id if job_id else true()
    with run.runtime.sessions.begin() as session:
        session.execute(update(OwedEnd).where(which).values(due_at=func.now() + after))


def owed(run: Trial) -> int:
    with run.runtime.sessions() as session:
        return session.scalar(select(func.count()).select_from(OwedEnd)) or 0


def jobs(run: Trial) -> int:
    with run.runtime.sessions() as session:
        return session.scalar(select(func.count()).select_from(Job)) or 0


def pause_s(run: Trial) -> int:
    with run.runtime.sessions() as session:
        row = session.scalars(select(OwedEnd)).one()
        return round((row.due_at - row.tried_at).total_seconds())
