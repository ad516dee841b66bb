"""Families of jobs, with real workers and a dispatcher."""

from uuid import UUID

import pytest

from embedded import wait_until
from engine import Engine
from outcomes import ended, outcomes
from stellwerk.bootstrap import Platform
from stellwerk.jobs import control
from stellwerk.jobs.lists import JobFilter
from stellwerk.jobs.queries import documents
from stellwerk.jobs.submission import Submission, submit

FAN_OUT = "diagnostics.fan_out"


def start(platform: Platform, **payload: object) -> UUID:
    return submit(platform.runtime, Submission(FAN_OUT, payload, owner_id=None))


def statuses(platform: Platform, parent: UUID) -> set[str]:
    with platform.runtime.sessions() as session:
        found = documents(session, platform.runtime.registry, JobFilter(parent_id=parent))
    return {str(job["status"]) for job in found}


@pytest.mark.usefixtures("engine")
def test_parents_that_wait_hold_no_worker(platform: Platform) -> None:
    """More parents than slots: if they held them, no child could ever run."""
    payloads = [{"children": 10}] * 10
    for job in outcomes(platform, FAN_OUT, payloads):
        assert job["result"] == {"completed": 10, "failed": 0}


@pytest.mark.usefixtures("engine")
def test_failed_children_end_as_the_policy_says(platform: Platform) -> None:
    payload = {"children": 4, "failing": 2, "wait_ms": 200}
    policies = ("fail_fast", "wait_all", "ignore")
    jobs = outcomes(platform, FAN_OUT, [{**payload, "failure": policy} for policy in policies])

    assert [job["status"] for job in jobs] == ["failed", "failed", "completed"]
    assert [job["error"]["code"] for job in jobs[:2]] == ["CHILD_FAILED"] * 2
    assert jobs[2]["result"] == {"completed": 2, "failed": 2}


@pytest.mark.usefixtures("engine")
def test_a_cancelled_parent_takes_its_children_along(platform: Platform) -> None:
    parent = start(platform, children=80, wait_ms=1000)  # 20 s, but for the cancel
    wait_until(lambda: "running" in statuses(platform, parent))

    control.cancel(platform.runtime, parent)

    assert ended(platform, parent)["status"] == "cancelled"
    wait_until(lambda: statuses(platform, parent) <= {"completed", "cancelled"})
    assert "cancelled" in statuses(platform, parent)


def test_a_family_survives_the_death_of_the_worker_that_runs_it(
    platform: Platform, engine: Engine
) -> None:
    parent = start(platform, children=32, wait_ms=1000)  # 8 s, within which it is killed
    wait_until(lambda: "running" in statuses(platform, parent))

    engine.kill("short")
    engine.start("short")

    assert ended(platform, parent)["result"] == {"completed": 32, "failed": 0}
