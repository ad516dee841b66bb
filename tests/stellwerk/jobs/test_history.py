"""When a job will be finished, as far as those before it allow to tell."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.clock import new_id
from stellwerk.jobs import control, queries
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Registry
from stellwerk.jobs.runtime import Runtime
from stellwerk.jobs.submission import Submission, submit

ECHO = "diagnostics.echo"
RUN_S, SLOW_S, WAIT_S = 20, 100, 5

Adds = Callable[..., UUID]


@pytest.fixture
def runtime(platform: Platform) -> Runtime:
    """Of a process that has measured nothing yet."""
    registry = Registry(tuple(platform.runtime.registry))
    return replace(platform.runtime, registry=registry)


@pytest.fixture
def add(platform: Platform) -> Adds:
    owner_id = add_user(platform)

    def add(**fields: Any) -> UUID:
        values = {"operation": ECHO, "queue": "short", "payload": {}, **fields}
        job = Job(id=new_id(), owner_id=owner_id, operation_version=1, max_attempts=5, **values)
        with platform.runtime.sessions.begin() as session:
            session.add(job)
        return job.id

    return add


@pytest.fixture
def past(add: Adds) -> None:
    """Nine jobs that took 20 s and one that took 100 s, each after 5 s in the queue."""
    now = datetime.now(UTC)
    for took_s in (*[RUN_S] * 9, SLOW_S):
        started_at = now - timedelta(seconds=took_s)
        add(
            status="completed",
            attempt=1,
            run_at=started_at - timedelta(seconds=WAIT_S),
            started_at=started_at,
            finished_at=now,
        )


def document(runtime: Runtime, job_id: UUID) -> dict[str, Any]:
    with runtime.sessions() as session:
        return queries.change(session, runtime.registry, job_id).document


def ends_in_s(shown: dict[str, Any]) -> float | None:
    end = shown["estimated_completion_at"]
    left = datetime.fromisoformat(end) - datetime.now(UTC) if end else None
    return left.total_seconds() if left else None


def test_of_what_was_never_completed_nobody_can_tell(runtime: Runtime, add: Adds) -> None:
    add(status="failed", started_at=datetime.now(UTC), finished_at=datetime.now(UTC))
    assert document(runtime, add())["estimated_completion_at"] is None


@pytest.mark.usefixtures("past")
def test_a_queued_job_waits_and_runs_as_long_as_most(runtime: Runtime, add: Adds) -> None:
    assert ends_in_s(document(runtime, add())) == pytest.approx(WAIT_S + RUN_S, abs=10)
    later = datetime.now(UTC) + timedelta(hours=1)
    left_s = ends_in_s(document(runtime, add(run_at=later)))
    assert left_s == pytest.approx(3600 + WAIT_S + RUN_S, abs=10)


@pytest.mark.usefixtures("past")
def test_a_running_job_ends_as_most_do_then_as_nearly_all_do_then_nobody_can_tell(
    runtime: Runtime, add: Adds
) -> None:
    def running_for(seconds: float) -> float | None:
        started_at = datetime.now(UTC) - timedelta(seconds=seconds)
        return ends_in_s(document(runtime, add(status="running", started_at=started_at)))

    assert running_for(0) == pytest.approx(RUN_S, abs=10)
    slower_s = running_for(RUN_S + 1)
    assert slower_s
    assert 0 < slower_s < SLOW_S - RUN_S
    assert running_for(SLOW_S + 1) is None


@pytest.mark.usefixtures("past")
def test_a_running_job_whose_start_nobody_wrote_is_shown(runtime: Runtime, add: Adds) -> None:
    shown = document(runtime, add(status="running", started_at=None))
    assert shown["status"] == "running"
    assert shown["estimated_completion_at"] is None


@pytest.mark.usefixtures("past")
def test_of_waiting_ended_and_undone_jobs_nothing_is_expected(runtime: Runtime, add: Adds) -> None:
    ended = {"status": "failed", "finished_at": datetime.now(UTC)}
    for fields in ({"status": "waiting"}, ended, {"ending": {"status": "failed", "error": {}}}):
        assert document(runtime, add(**fields))["estimated_completion_at"] is None


@pytest.mark.usefixtures("past")
def test_what_a_process_tells_without_reading_the_ledger_has_its_expected_end_too(
    platform: Platform, runtime: Runtime
) -> None:
    owner_id = add_user(platform)
    submit(runtime, Submission(ECHO, {"message": "measured after this"}, owner_id))
    shown = platform.live.read(submit(runtime, Submission(ECHO, {"message": "hi"}, owner_id)))
    assert shown
    assert ends_in_s(orjson.loads(shown.document)) == pytest.approx(WAIT_S + RUN_S, abs=10)


def test_links_lead_to_what_can_be_done_now(runtime: Runtime, add: Adds) -> None:
    job_id = add()
    always = {"self", "events", "logs", "steps", "children", "artifacts"}
    assert set(document(runtime, job_id)["links"]) == always | {"cancel"}
    control.cancel(runtime, job_id)
    assert set(document(runtime, job_id)["links"]) == always | {"retry"}
    control.retry(runtime, job_id)
    assert set(document(runtime, job_id)["links"]) == always | {"cancel"}
    child = add(parent_id=job_id, parent_step="a", parent_key="b")
    assert document(runtime, child)["links"]["parent"] == f"/api/v1/jobs/{job_id}"
