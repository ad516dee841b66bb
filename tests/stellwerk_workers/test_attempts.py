"""What becomes of jobs, with real workers."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from again import in_one_of_few_tries
from embedded import wait_until
from engine import Engine
from stellwerk.bootstrap import Platform
from stellwerk.errors import Conflict
from stellwerk.jobs import control, queries
from stellwerk.jobs.submission import Submission, submit

CANCELLED_WITHIN_S = 3.0
ENDED = {"completed", "failed", "cancelled"}


def document(platform: Platform, job_id: UUID) -> dict[str, Any]:
    with platform.runtime.sessions() as session:
        return queries.change(session, platform.runtime.registry, job_id).document


def run(platform: Platform, operation: str, payload: dict[str, Any]) -> dict[str, Any]:
    job_id = submit(platform.runtime, Submission(operation, payload, owner_id=None))
    return ended(platform, job_id)


def ended(platform: Platform, job_id: UUID, timeout_s: float = 60) -> dict[str, Any]:
    wait_until(lambda: document(platform, job_id)["status"] in ENDED, timeout_s=timeout_s)
    return document(platform, job_id)


@pytest.mark.usefixtures("engine")
def test_a_job_is_carried_out_and_its_result_is_kept(platform: Platform) -> None:
    job = run(platform, "diagnostics.echo", {"message": "hi", "data": {"a": [1, None]}})

    assert job["status"] == "completed"
    assert job["progress"] == 100
    assert job["result"]["message"] == "hi"
    assert job["result"]["data"] == {"a": [1, None]}


@pytest.mark.usefixtures("engine")
def test_an_echo_takes_as_long_as_it_is_asked_to(platform: Platform) -> None:
    job = run(platform, "diagnostics.echo", {"wait_ms": 300})

    started, ended_at = map(datetime.fromisoformat, (job["started_at"], job["finished_at"]))
    assert (ended_at - started).total_seconds() >= 0.3


@pytest.mark.usefixtures("engine")
def test_steps_are_checkpointed_and_shown_with_their_times(platform: Platform) -> None:
    job = run(platform, "diagnostics.sleep", {"seconds": 0.2, "steps": 2})

    assert [(step["name"], step["status"]) for step in job["steps"]] == [
        ("sleep:1", "completed"),
        ("sleep:2", "completed"),
    ]
    assert all(step["started_at"] <= step["finished_at"] for step in job["steps"])


@pytest.mark.usefixtures("engine")
def test_a_failed_attempt_is_retried_until_one_succeeds(platform: Platform) -> None:
    job = run(platform, "diagnostics.fail", {"succeed_on_attempt": 2})

    assert (job["status"], job["attempt"], job["failures"]) == ("completed", 2, 1)


@pytest.mark.parametrize(
    ("kind", "attempts", "code"),
    [
        ("retryable", 3, "PROVIDER_UNAVAILABLE"),
        ("bug", 3, "INTERNAL_ERROR"),
        ("rejected", 1, "PROVIDER_REJECTED"),
        ("final", 1, "JOB_FAILED"),
    ],
)
@pytest.mark.usefixtures("engine")
def test_a_failure_is_repeated_only_where_that_can_help(
    platform: Platform, kind: str, attempts: int, code: str
) -> None:
    job = run(platform, "diagnostics.fail", {"kind": kind})

    assert (job["status"], job["attempt"], job["error"]["code"]) == ("failed", attempts, code)


@pytest.mark.usefixtures("engine")
def test_a_running_job_is_cancelled_within_three_seconds(platform: Platform) -> None:
    def cancel_one() -> None:
        job_id = submit(platform.runtime, Submission("diagnostics.sleep", {"seconds": 60}, None))
        wait_until(lambda: document(platform, job_id)["status"] == "running")

        control.cancel(platform.runtime, job_id)

        assert ended(platform, job_id, CANCELLED_WITHIN_S)["status"] == "cancelled"
        with pytest.raises(Conflict):
            control.cancel(platform.runtime, job_id)

    in_one_of_few_tries(cancel_one)


@pytest.mark.usefixtures("engine")
def test_a_failed_job_can_be_retried_by_hand(platform: Platform) -> None:
    failed = run(platform, "diagnostics.fail", {"kind": "final", "succeed_on_attempt": 2})
    assert failed["status"] == "failed"

    control.retry(platform.runtime, UUID(failed["job_id"]))

    assert ended(platform, UUID(failed["job_id"]))["status"] == "completed"


def test_a_job_whose_worker_is_killed_starts_again_and_completes(
    platform: Platform, engine: Engine
) -> None:
    submitted = Submission("diagnostics.sleep", {"seconds": 6, "steps": 6}, owner_id=None)
    job_id = submit(platform.runtime, submitted)
    wait_until(lambda: len(document(platform, job_id)["steps"]) > 1)

    engine.kill("long")
    engine.start("long")

    job = ended(platform, job_id)
    assert job["status"] == "completed"
    assert job["attempt"] == 2
    assert job["failures"] == 0
    assert job["steps"][0]["finished_at"] < job["steps"][1]["started_at"]


def test_a_job_that_kills_its_workers_is_ended_as_poison(
    platform: Platform, engine: Engine
) -> None:
    job_id = submit(platform.runtime, Submission("diagnostics.fail", {"kind": "crash"}, None))

    job = ended(platform, job_id, timeout_s=60)

    assert (job["status"], job["error"]["code"]) == ("failed", "JOB_POISONED")
    assert engine.processes["long"].poll() is None
