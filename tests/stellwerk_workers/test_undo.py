"""Jobs that are rolled back, with real workers and a dispatcher, and an independent count."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from embedded import wait_until
from outcomes import document, ended, outcomes
from stellwerk.bootstrap import Platform
from stellwerk.diagnostics.recorder import recorder
from stellwerk.jobs import control
from stellwerk.jobs.submission import Submission, submit

UNDO = "diagnostics.undo"


def recorded(platform: Platform, job_id: str) -> Mapping[str, int]:
    """How often what was done, as the outside world knows it."""
    counts = recorder(platform.settings).counts()
    return {
        key.removeprefix(f"{job_id}-"): times
        for key, times in counts.items()
        if key.startswith(job_id)
    }


def assert_undone(platform: Platform, job: Mapping[str, Any], *, tries: int = 1) -> None:
    """Each step was taken once and rolled back once, the second one first."""
    assert recorded(platform, job["job_id"]) == {
        "first": 1,
        "second": 1,
        "first-undone": 1,
        "second-undone": 1,
        "tries": tries,
    }
    first, second = job["steps"]
    assert [first["status"], second["status"]] == ["undone", "undone"]
    assert second["finished_at"] < first["finished_at"]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("then", "status", "stopped"),
    [
        ("work", "running", "by_itself"),
        ("hang", "running", "killed"),
        ("retry", "retrying", "before_start"),
        ("wait", "waiting", "before_start"),
    ],
)
def test_a_cancelled_job_is_rolled_back_wherever_it_stands(
    platform: Platform, then: str, status: str, stopped: str
) -> None:
    job_id = submit(platform.runtime, Submission(UNDO, {"then": then}, owner_id=None))
    wait_until(lambda: stands(platform, job_id) == (status, ["completed", "completed"]))

    control.cancel(platform.runtime, job_id)

    job = ended(platform, job_id)
    assert (job["status"], job["error"]["details"]["stopped"]) == ("cancelled", stopped)
    assert_undone(platform, job)


@pytest.mark.usefixtures("engine")
def test_a_job_that_kept_what_it_did_is_not_rolled_back(platform: Platform) -> None:
    job_id = submit(platform.runtime, Submission(UNDO, {"then": "wait"}, owner_id=None))
    wait_until(lambda: document(platform, job_id)["status"] == "waiting")

    control.signal(platform.runtime, job_id, "keep")

    job = ended(platform, job_id)
    assert job["status"] == "completed"
    assert recorded(platform, job["job_id"]) == {"first": 1, "second": 1}


@pytest.mark.usefixtures("engine")
def test_poisoned_jobs_are_rolled_back_and_a_rollback_survives_the_death_of_its_worker(
    platform: Platform,
) -> None:
    payloads: list[dict[str, Any]] = [{"then": "crash"}, {"then": "fail", "crash": True}]
    poisoned, failed = outcomes(platform, UNDO, payloads)

    assert (poisoned["status"], poisoned["error"]["code"]) == ("failed", "JOB_POISONED")
    assert_undone(platform, poisoned)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "JOB_FAILED")
    assert_undone(platform, failed, tries=2)


def stands(platform: Platform, job_id: UUID) -> tuple[str, list[str]]:
    """Its status, and its steps'."""
    job = document(platform, job_id)
    return job["status"], [step["status"] for step in job["steps"]]
