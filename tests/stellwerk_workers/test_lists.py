"""Jobs that travel in lists behave as if they had come alone, and wait for no slow neighbour."""

from base64 import b64decode
from threading import Event
from typing import Any
from uuid import UUID

import orjson
import pytest
from celery.events.state import State
from redis.client import PubSub
from sqlalchemy import text

from again import in_one_of_few_tries
from embedded import wait_until
from engine import Engine
from listed import Listed, listed
from stellwerk.bootstrap import Platform
from stellwerk.broker.calls import LIST_TASK
from stellwerk.broker.publisher import publishing_app
from stellwerk.clock import new_id
from stellwerk.errors import JobFailed, ProviderUnavailable
from stellwerk.jobs import dispatch
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.control import cancel
from stellwerk.jobs.crash_points import CrashPoint
from stellwerk.jobs.model import Job
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.submission import Submission, submit
from stellwerk_workers.flower import GroupedEvents
from stellwerk_workers.lists import JobList
from stellwerk_workers.reports import Came
from trial import NAME


def test_every_job_of_a_list_is_carried_out_and_told_of_once(platform: Platform) -> None:
    def handler(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        return {"attempt": ctx.attempt, "value": payload["value"]}

    with listed(platform, handler) as made:
        jobs = [made.run.submit(value=number) for number in range(5)]
        made.carry_out(jobs)

        documents = [made.run.document(job_id) for job_id in jobs]
        assert [document["result"]["value"] for document in documents] == [0, 1, 2, 3, 4]
        assert {document["status"] for document in documents} == {"completed"}
        assert made.came() == dict.fromkeys(jobs, Came.COMPLETED)
        assert len(made.told) == len(jobs)


def test_failures_and_retries_of_a_list_are_those_of_single_jobs(platform: Platform) -> None:
    def handler(ctx: JobContext, payload: dict[str, Any]) -> Any:
        match payload["value"]:
            case "later":
                raise ProviderUnavailable("later")
            case "never":
                raise JobFailed("never")
            case "cost":
                ctx.log("half way")
            case "unfit":
                return {"text": "\x00"}  # Postgres refuses it
        return {"attempt": ctx.attempt}

    with listed(platform, handler) as made:
        values = ["fine", "later", "never", "unfit", "cost"]
        jobs = {value: made.run.submit(value=value) for value in values}
        made.carry_out(list(jobs.values()))
        documents = {value: made.run.document(job_id) for value, job_id in jobs.items()}

        assert documents["fine"]["status"] == documents["cost"]["status"] == "completed"
        assert (documents["never"]["status"], documents["never"]["failures"]) == ("failed", 1)
        assert [made.run.row(jobs[v]).status for v in ("later", "unfit")] == ["queued", "queued"]
        assert documents["later"]["failures"] == documents["unfit"]["failures"] == 1
        assert made.came()[jobs["later"]] is Came.AGAIN
        assert made.came()[jobs["never"]] is Came.FAILED


def test_nobody_waits_for_a_slow_neighbour(platform: Platform) -> None:
    handed_back = Event()

    def handler(_: JobContext, payload: dict[str, Any]) -> None:
        if payload["value"] == "slow":
            wait_until(lambda: all(made.run.row(item).status == "queued" for item in jobs[2:]))
            handed_back.set()

    with listed(platform, handler, job_lease_s=60) as made:
        jobs = [made.run.submit(value=value) for value in ("quick", "slow", "late", "later")]
        made.carry_out(jobs)

        assert handed_back.is_set()
        assert made.run.document(jobs[1])["status"] == "completed"
        for job_id in jobs[2:]:
            row = made.run.row(job_id)
            assert (row.status, row.attempt, row.failures) == ("queued", 0, 0)
            assert (row.published_at, row.started_at, row.lease_token) == (None, None, None)
        made.carry_out(jobs[2:])
        assert {made.run.document(item)["status"] for item in jobs} == {"completed"}


def test_a_list_that_takes_longer_than_its_leases_is_given_back_before_they_end(
    platform: Platform,
) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.sleep(0.9)
        lost.extend(dispatch.rescue_expired(made.run.runtime))

    def carry_out_one() -> None:
        lost.clear()
        jobs = [made.run.submit() for _ in range(7)]
        made.carry_out(jobs)
        states = [(row.status, row.attempt) for row in map(made.run.row, jobs)]
        assert lost == []
        assert ("completed", 1) in states
        assert set(states[-2:]) == {("queued", 0)}

    lost: list[Any] = []
    with listed(platform, handler, job_lease_s=4.0) as made:
        in_one_of_few_tries(carry_out_one)


def test_what_a_frozen_worker_did_not_begin_in_time_is_left_to_others(platform: Platform) -> None:
    began: list[UUID] = []

    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        began.append(ctx.job_id)
        runs[-1].run.runner.heartbeat.stop()  # nothing in the process runs
        ctx.sleep(1.5)

    def carry_out_some() -> None:
        began.clear()
        with listed(platform, handler, job_lease_s=1.0) as other:
            runs.append(other)
            other.carry_out([other.run.submit() for _ in range(3)])
            assert len(began) == 1

    runs: list[Listed] = []
    in_one_of_few_tries(carry_out_some)


def test_a_job_of_a_list_that_runs_for_a_while_is_shown_as_running(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        def is_shown() -> bool:
            shown = platform.live.read(ctx.job_id)
            return bool(shown and orjson.loads(shown.document)["status"] == "running")

        wait_until(is_shown)

    with listed(platform, handler) as made:
        made.carry_out([made.run.submit()])
        assert list(made.came().values()) == [Came.COMPLETED]


def test_a_job_of_a_list_that_is_cancelled_before_its_turn_never_begins(
    platform: Platform,
) -> None:
    began: list[Any] = []

    def handler(ctx: JobContext, payload: dict[str, Any]) -> None:
        began.append(payload["value"])
        if payload["value"] == 0:
            cancel(platform.runtime, jobs[-1])
        ctx.sleep(0.4)
        if payload["value"] == 3:  # however late the process comes to look
            wait_until(lambda: made.came().get(jobs[-1]) is Came.CANCELLED)

    with listed(platform, handler, job_lease_s=30) as made:
        jobs = [made.run.submit(value=value) for value in range(5)]
        made.carry_out(jobs)
        ended = made.run.document(jobs[-1])
    assert began == list(range(4))
    assert (ended["status"], ended["error"]["details"]) == (
        "cancelled",
        {"stopped": "before_start"},
    )


def test_a_worker_that_stops_hands_back_what_it_did_not_begin(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        made.run.draining = True
        if ctx.job_id == jobs[0]:
            cancel(platform.runtime, jobs[2])

    with listed(platform, handler) as made:
        jobs = [made.run.submit() for _ in range(3)]
        made.carry_out(jobs)

        assert [made.run.row(item).status for item in jobs] == ["completed", "queued", "cancelled"]
        told = {jobs[0]: Came.COMPLETED, jobs[2]: Came.CANCELLED}
        wait_until(lambda: made.came() == told)


def test_a_list_that_comes_twice_runs_once(platform: Platform) -> None:
    ran: list[UUID] = []

    with listed(platform, lambda ctx, _: ran.append(ctx.job_id)) as made:
        jobs = [made.run.submit() for _ in range(3)]
        wakeups = [Wakeup(job_id, 0, NAME, "short") for job_id in jobs]
        operation = made.run.runtime.registry.get(NAME)
        for _ in range(2):
            JobList(made.run.runner, made.finisher, operation).run(wakeups, "trial")

    assert sorted(ran) == sorted(jobs)


def test_flower_is_told_of_a_whole_list_in_one_message(platform: Platform) -> None:
    app = publishing_app(platform.settings.broker())
    with (
        PubSub(platform.live_client.redis.connection_pool) as heard,
        listed(platform, lambda ctx, _: {"n": ctx.attempt}) as made,
    ):
        heard.psubscribe("*celeryev*")
        wait_until(lambda: heard.get_message(timeout=1))
        jobs = [made.run.submit() for _ in range(3)]
        made.carry_out(jobs)
        GroupedEvents(app).tell(made.told)
        message: dict[str, Any] = heard.get_message(timeout=10) or {}
        assert heard.get_message(timeout=0.1) is None
    app.close()

    seen: Any = State()
    for event in orjson.loads(b64decode(orjson.loads(message["data"])["body"])):
        seen.event(event | {"local_received": event["timestamp"]})
    shown = [seen.tasks[str(job_id)] for job_id in jobs]
    assert {(task.name, task.state) for task in shown} == {(NAME, "SUCCESS")}
    assert set(seen.workers) == {"trial"}


@pytest.mark.usefixtures("engine")
def test_a_backlog_of_short_jobs_is_drained_in_lists(platform: Platform) -> None:
    insert_backlog(platform, 300)
    wait_until(lambda: finished(platform) == 300, timeout_s=60)

    with platform.runtime.sessions() as session:
        jobs = session.query(Job).all()
    assert {(job.status, job.attempt) for job in jobs} == {("completed", 1)}


def test_a_killed_worker_counts_against_no_job_of_its_lists(
    platform: Platform, engine: Engine
) -> None:
    folder = platform.settings.crash_folder
    assert folder
    (folder / CrashPoint.BEFORE_FINISH).touch()
    insert_backlog(platform, 40)
    wait_until(lambda: engine.processes["short"].poll() is not None)
    engine.restart_what_ended()
    wait_until(lambda: finished(platform) == 40, timeout_s=90)

    with platform.runtime.sessions() as session:
        jobs = session.query(Job).all()
    assert {(job.status, job.crashes, job.failures) for job in jobs} == {("completed", 0, 0)}


@pytest.mark.usefixtures("engine")
def test_wakeups_of_operations_that_the_worker_does_not_know_are_left_to_others(
    platform: Platform,
) -> None:
    alone, listed_one = (
        submit(platform.runtime, Submission("diagnostics.echo", {}, None, run_at=later(platform)))
        for _ in range(2)
    )
    rename = text("""
        UPDATE jobs SET operation = 'tomorrow.work', published_at = now(), run_at = now()
    """)
    with platform.runtime.sessions.begin() as session:
        session.execute(rename)
    app = publishing_app(platform.settings.broker())
    app.send_task("tomorrow.work", args=(str(alone), 0), queue="short")
    app.send_task(LIST_TASK, args=("tomorrow.work", [[str(listed_one), 0]]), queue="short")
    app.close()

    def is_left(job_id: UUID) -> bool:
        with platform.runtime.sessions() as session:
            job = session.get_one(Job, job_id)
            return (job.status, job.attempt, job.published_at) == ("queued", 0, None)

    wait_until(lambda: is_left(alone) and is_left(listed_one))


def later(platform: Platform) -> Any:
    with platform.runtime.sessions() as session:
        return session.scalar(text("SELECT now() + interval '1 hour'"))


def insert_backlog(platform: Platform, number: int) -> None:
    """Jobs that a dispatcher finds waiting, as after a bulk submission beyond the window."""
    insert = text("""
        INSERT INTO jobs (id, operation, operation_version, queue, payload, max_attempts)
        VALUES (:id, 'diagnostics.echo', 1, 'short', '{"message": "x"}', 5)
    """)
    with platform.runtime.sessions.begin() as session:
        session.execute(insert, [{"id": new_id()} for _ in range(number)])


def finished(platform: Platform) -> int:
    with platform.runtime.sessions() as session:
        query = text("SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL")
        return int(session.scalar(query) or 0)
