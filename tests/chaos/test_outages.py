"""A whole stack, and what becomes of its jobs when parts of it are killed or frozen."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from embedded import wait_until
from full_stack import Client
from stack_runs import StackRun
from stellwerk.providers.video.probe import length_s, streams

LEASE_S = 6  # as in conftest.py
ANSWER_WITHIN_S = 2.0
FROZEN_S = 20

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("stack"), pytest.mark.timeout(240)]


def generate(client: Client, topic: str) -> str:
    channel = client.expect(201, "POST", "/channels/", json={"name": "Signals"})
    body = {"channel_id": channel["id"], "topic": topic, "target_duration": 30}
    return str(client.expect(202, "POST", "/videos/generate", json=body)["job_id"])


def steps(job: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {step["name"]: step for step in job["steps"]}


def test_a_worker_killed_while_rendering_loses_nothing_that_was_done(
    run: StackRun, client: Client, tmp_path: Path
) -> None:
    job_id = generate(client, "Top 5 facts about railway signal boxes")
    wait_until(lambda: steps(client.job(job_id))["render"]["status"] == "running", timeout_s=60)
    before = steps(client.job(job_id))

    os.kill(run.pid_of("worker_media") or 0, signal.SIGKILL)
    job = client.ended(job_id, timeout_s=LEASE_S + 60)

    after = steps(job)
    assert (job["status"], job["attempt"], job["failures"]) == ("completed", 2, 0)
    assert after["script"] == before["script"]
    assert after["voice"] == before["voice"]
    for task, state in ((job_id, "FAILURE"), (f"{job_id}.2", "SUCCESS")):
        wait_until(lambda task=task, want=("videos.generate", state): in_flower(run, task) == want)  # type: ignore[misc]  # mypy cannot infer a lambda with defaults
    video = tmp_path / "video.mp4"
    video.write_bytes(client.request("GET", f"/jobs/{job_id}/artifacts/video.mp4").content)
    assert sorted(stream.codec for stream in streams(video)) == ["aac", "h264"]
    assert 27 <= length_s(video) <= 33


def test_a_running_job_is_cancelled_within_three_seconds(client: Client) -> None:
    job_id = client.submit("diagnostics.sleep", {"seconds": 60})
    wait_until(lambda: client.has(job_id, "running"))

    client.expect(202, "POST", f"/jobs/{job_id}/cancel")

    wait_until(lambda: client.has(job_id, "cancelled"), timeout_s=3)


def test_flower_finds_a_job_by_its_id_and_shows_the_outcome_the_ledger_has(
    run: StackRun, operator: Client
) -> None:
    client = operator
    done = client.submit("diagnostics.echo", {"message": "hello"})
    retried = client.submit("diagnostics.fail", {"succeed_on_attempt": 2})
    failed = client.submit("diagnostics.fail", {"kind": "final"})
    cancelled = client.submit("diagnostics.sleep", {"seconds": 60})
    wait_until(lambda: client.has(cancelled, "running"))
    client.expect(202, "POST", f"/jobs/{cancelled}/cancel")
    expected = {
        done: ("diagnostics.echo", "SUCCESS"),
        retried: ("diagnostics.fail", "RETRY"),
        f"{retried}.2": ("diagnostics.fail", "SUCCESS"),
        failed: ("diagnostics.fail", "FAILURE"),
        cancelled: ("diagnostics.sleep", "REVOKED"),
    }
    for task_id, shown in expected.items():
        wait_until(lambda task=task_id, want=shown: in_flower(run, task) == want)  # type: ignore[misc]  # mypy cannot infer a lambda with defaults


def test_redis_killed_and_started_empty_loses_no_job_and_delays_no_answer(
    run: StackRun, client: Client
) -> None:
    running = client.submit("diagnostics.sleep", {"seconds": 8, "steps": 4})
    others = [client.submit("diagnostics.sleep", {"seconds": 1}) for _ in range(6)]
    wait_until(lambda: client.has(running, "running"))
    client.slowest_s = 0.0

    lose_redis(run)
    submitted = client.submit("diagnostics.echo", {"message": "while it is gone"})

    for job_id in (running, submitted, *others):
        assert client.ended(job_id)["status"] == "completed"
    assert client.slowest_s < ANSWER_WITHIN_S


def test_redis_frozen_for_a_while_loses_no_job_and_delays_no_answer(
    run: StackRun, client: Client
) -> None:
    running = client.submit("diagnostics.sleep", {"seconds": 8, "steps": 4})
    wait_until(lambda: client.has(running, "running"))
    client.slowest_s = 0.0
    pid = run.pid_of("valkey") or 0

    os.kill(pid, signal.SIGSTOP)
    try:
        submitted = keep_asking(client, running, until=time.monotonic() + FROZEN_S)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert client.slowest_s < ANSWER_WITHIN_S
    for job_id in (running, *submitted):
        assert client.ended(job_id)["status"] == "completed"


def in_flower(run: StackRun, task_id: str) -> tuple[str, str] | None:
    """Name and state that Flower gives a task; None while it does not know it."""
    secrets = json.loads((run.home.path / "secrets.json").read_text())
    url = f"{run.document()['urls']['flower']}api/task/info/{task_id}"
    answer = requests.get(url, auth=("operator", secrets["flower_password"]), timeout=10)
    found = answer.json() if answer.ok else {}
    return (found["name"], found["state"]) if found else None


def lose_redis(run: StackRun) -> None:
    """Kill Redis and remove its files before the supervisor starts it again."""
    pid = run.pid_of("valkey") or 0
    os.kill(pid, signal.SIGSTOP)
    shutil.rmtree(run.home.path / "valkey" / "appendonlydir")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: run.pid_of("valkey") not in {pid, None}, timeout_s=30)


def keep_asking(client: Client, job_id: str, *, until: float) -> list[str]:
    """Poll and submit like a client that notices nothing."""
    submitted: list[str] = []
    while time.monotonic() < until:
        client.job(job_id)
        if len(submitted) < FROZEN_S:
            submitted.append(client.submit("diagnostics.echo", {"message": "frozen"}))
    return submitted


def test_postgres_killed_while_a_job_runs_costs_neither_a_failure_nor_a_crash(
    run: StackRun, client: Client
) -> None:
    job_id = client.submit("diagnostics.sleep", {"seconds": 6, "steps": 6})
    wait_until(lambda: client.has(job_id, "running"))

    pid = run.pid_of("postgres") or 0
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: run.pid_of("postgres") not in {pid, None}, timeout_s=30)
    wait_until(lambda: client.request("GET", "/health/ready").ok, timeout_s=30)

    job = client.ended(job_id)
    assert (job["status"], job["failures"]) == ("completed", 0)
    assert client.ended(client.submit("diagnostics.echo", {}))["status"] == "completed"
