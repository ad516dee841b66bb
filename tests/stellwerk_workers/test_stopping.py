"""What is stopped: a cancelled job, and a worker that a deploy ends."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from embedded import wait_until
from engine import Engine
from stellwerk.bootstrap import Platform
from stellwerk.jobs import control, queries
from stellwerk.jobs.model import Job
from stellwerk.jobs.submission import Submission, submit

SIGKILL, SIGTERM = 9, 15


def submitted(platform: Platform, operation: str, **payload: Any) -> UUID:
    return submit(platform.runtime, Submission(operation, payload, owner_id=None))


def in_queue(platform: Platform, queue: str, operation: str, **payload: Any) -> UUID:
    """The same, but in a queue of another kind than its operation's."""
    later = datetime.now(UTC) + timedelta(hours=1)
    job_id = submit(platform.runtime, Submission(operation, payload, owner_id=None, run_at=later))
    with platform.runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(queue=queue, run_at=func.now()))
    return job_id


def job(platform: Platform, job_id: UUID) -> Job:
    with platform.runtime.sessions() as session:
        return session.get_one(Job, job_id)


def cancelled(platform: Platform, job_id: UUID) -> str:
    """Cancel it, wait for its end, and say how it was stopped and what its log says last."""
    control.cancel(platform.runtime, job_id)
    wait_until(lambda: job(platform, job_id).status == "cancelled")
    error = job(platform, job_id).error or {}
    with platform.runtime.sessions() as session:
        lines = queries.logs(session, job_id, after_id=0, limit=100)
    assert "cancelled" in lines[-1].message
    assert error["code"] == "JOB_CANCELLED"
    return f"{error['details']['stopped']}: {lines[-1].message}"


def test_a_job_that_no_worker_has_is_cancelled_at_once_and_says_so(platform: Platform) -> None:
    job_id = submitted(platform, "diagnostics.sleep")

    assert cancelled(platform, job_id) == "before_start: cancelled while no worker had it"


@pytest.mark.usefixtures("engine")
def test_a_running_job_that_hears_of_its_cancel_stops_by_itself(platform: Platform) -> None:
    job_id = submitted(platform, "diagnostics.sleep", seconds=60)
    wait_until(lambda: job(platform, job_id).status == "running")

    assert cancelled(platform, job_id).startswith("by_itself: ")


@pytest.mark.usefixtures("engine")
def test_a_running_job_that_hears_nothing_is_killed_after_its_grace(platform: Platform) -> None:
    job_id = submitted(platform, "diagnostics.fail", kind="hang")
    wait_until(lambda: job(platform, job_id).status == "running")

    assert cancelled(platform, job_id).startswith("killed: ")
    after = submitted(platform, "diagnostics.fail", kind="final")
    wait_until(lambda: job(platform, after).status == "failed")


def test_a_deaf_job_of_a_shared_process_takes_its_neighbours_along_and_they_start_again_uncounted(
    platform: Platform, engine: Engine
) -> None:
    sleep = {"seconds": 14, "steps": 14}  # longer than the cancel and the grace of the deaf one
    neighbours = [in_queue(platform, "short", "diagnostics.sleep", **sleep) for _ in range(2)]
    deaf = in_queue(platform, "short", "diagnostics.fail", kind="hang")
    everybody = [*neighbours, deaf]
    wait_until(lambda: {job(platform, one).status for one in everybody} == {"running"})

    assert cancelled(platform, deaf).startswith("killed: ")
    wait_until(lambda: engine.processes["short"].poll() == -SIGKILL)
    engine.restart_what_ended()

    wait_until(lambda: ended(platform) == len(everybody), timeout_s=60)
    found = [job(platform, one) for one in neighbours]
    assert {(one.status, one.attempt, one.queue) for one in found} == {("completed", 2, "long")}
    assert {(one.failures, one.crashes) for one in found} == {(0, 0)}
    after = submitted(platform, "diagnostics.echo")
    wait_until(lambda: job(platform, after).status == "completed")


def test_a_deploy_under_load_loses_no_job_and_counts_no_failure(
    platform: Platform, engine: Engine
) -> None:
    long = [submitted(platform, "diagnostics.sleep", seconds=3, steps=6) for _ in range(4)]
    short = [submitted(platform, "diagnostics.echo") for _ in range(100)]
    wait_until(lambda: running(platform) > 0)

    for role in ("long", "short"):
        engine.kill(role, SIGTERM)  # waits for its end
        assert engine.processes[role].returncode == 0
    assert not [one for one in long if job(platform, one).status == "running"]
    engine.restart_what_ended()

    wait_until(lambda: ended(platform) == len(long + short), timeout_s=60)
    found = [job(platform, one) for one in long + short]
    assert {one.status for one in found} == {"completed"}
    assert {(one.failures, one.crashes) for one in found} == {(0, 0)}
    assert max(job(platform, one).attempt for one in long) > 1


def running(platform: Platform) -> int:
    return counted(platform, Job.status == "running", Job.queue == "long")


def ended(platform: Platform) -> int:
    return counted(platform, Job.finished_at.isnot(None))


def counted(platform: Platform, *conditions: Any) -> int:
    with platform.runtime.sessions() as session:
        return session.scalar(select(func.count()).select_from(Job).where(*conditions)) or 0
