"""What is stopped: a cancelled job, and a worker that a deploy ends."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from embedded import wait_until
from engine import Engine
from stellwerk.bootstrap import Platform
from stellwerk.jobs import control, queries
from stellwerk.jobs.model import Job
from stellwerk.jobs.submission import Submission, submit

SIGTERM = 15


def submitted(platform: Platform, operation: str, **payload: Any) -> UUID:
    return submit(platform.runtime, Submission(operation, payload, owner_id=None))


def job(platform: Platform, job_id: UUID) -> Job:
    with platform.runtime.sessions() as session:
        return session.get_one(Job, job_id)


def cancelled(platform: Platform, job_id: UUID) -> str:
    """Cancel it, wait for its end, and say how it was stopped and what its log says last."""
    control.cancel(platform.runtime, job_id)
    wait_until(lambda: job(platform, job_id).status == "cancelled", timeout_s=30)
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
    wait_until(lambda: job(platform, after).status == "failed", timeout_s=30)


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
