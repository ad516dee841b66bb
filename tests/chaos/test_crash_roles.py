"""Processes of a whole stack die at named points: whoever accepts, publishes or runs lists."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from embedded import wait_until
from full_stack import Client
from stack_runs import StackRun
from stellwerk.jobs.crash_points import CrashPoint
from stream import Stream

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("stack"), pytest.mark.timeout(240)]

TOLD = [CrashPoint.AFTER_COMMIT, CrashPoint.AFTER_PUBLISH]
OF_A_LIST = [
    f"{CrashPoint.AFTER_ACK_BEFORE_CLAIM}@worker~list",
    f"{CrashPoint.AFTER_CLAIM}@worker~list",
    f"{CrashPoint.BEFORE_FINISH}@worker",
    f"{CrashPoint.AFTER_FINISH}@worker",
]
LISTED = 200  # jobs that are due at once: many more than go out one by one
SOON_S = 0.5  # of a job that is published by the dispatcher, not by who submits it


def crash_folder(run: StackRun) -> Path:
    """See conftest.py."""
    return run.home.path.parent / "crash"


def fired(run: StackRun, name: str) -> list[Path]:
    return list(crash_folder(run).glob(f"{name}.*fired"))


def soon() -> str:
    return (datetime.now(UTC) + timedelta(seconds=SOON_S)).isoformat()


@pytest.mark.parametrize("point", TOLD)
def test_a_web_process_that_dies_while_it_accepts_keeps_one_job_of_it(
    run: StackRun, operator: Client, point: CrashPoint
) -> None:
    before = len(fired(run, f"{point}@web"))
    with Stream(operator, asks_again=True) as stream:
        wait_until(lambda: stream.has(5))
        (crash_folder(run) / f"{point}@web").touch()
        wait_until(lambda: len(fired(run, f"{point}@web")) > before)
        accepted = len(stream.accepted)
        wait_until(lambda: stream.has(accepted + 5))

    assert stream.sent_again
    assert stream.ask_again() == stream.accepted
    assert_all_end(operator, list(stream.accepted.values()))


def test_a_dispatcher_that_dies_while_it_publishes_loses_no_job(
    run: StackRun, operator: Client
) -> None:
    for point in TOLD:
        body = {"operation": "diagnostics.effect", "payload": {"kind": "probe"}, "run_at": soon()}
        name = f"{point}@dispatcher"
        with held(operator, "long"):
            job_id = operator.expect(202, "POST", "/jobs", json=body)["job_id"]
            (crash_folder(run) / f"{name}.{job_id}").touch()

        assert_all_end(operator, [job_id])

        assert fired(run, name)


def test_a_worker_that_dies_at_any_point_of_a_list_loses_no_job(
    run: StackRun, operator: Client
) -> None:
    jobs: list[str] = []
    for point in OF_A_LIST:
        with held(operator, "short"):
            listed = bulk(operator)
            name = f"{point}.{listed[LISTED // 2]}"
            (crash_folder(run) / name).touch()
        wait_until(lambda name=name: (crash_folder(run) / f"{name}.fired").exists())  # type: ignore[misc]  # mypy cannot infer a lambda with defaults
        jobs += listed

    assert_all_end(operator, jobs)


def bulk(client: Client) -> list[str]:
    """Jobs that are due in a moment, all at once."""
    one: dict[str, Any] = {"operation": "diagnostics.echo", "run_at": soon()}
    answer = client.expect(202, "POST", "/jobs/bulk", json={"jobs": [one] * LISTED})
    return [job["job_id"] for job in answer["jobs"]]


@contextmanager
def held(client: Client, queue: str) -> Iterator[None]:
    """Nothing of the queue is published until the block ends."""
    client.expect(200, "POST", f"/queues/{queue}/pause")
    try:
        yield
    finally:
        client.expect(200, "POST", f"/queues/{queue}/resume")


def assert_all_end(client: Client, job_ids: Sequence[str]) -> None:
    """With nobody's budget of failures touched."""
    for job_id in job_ids:
        job = client.ended(job_id, timeout_s=60)
        assert (job["status"], job["failures"]) == ("completed", 0), job
