"""A whole stack: what becomes of a render whose worker is killed, of a cancel, and in Flower."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from again import in_one_of_few_tries
from embedded import wait_until
from full_stack import ENDED, LEASE_S, Client
from stack_runs import StackRun
from stellwerk.providers.video.probe import length_s, streams

CANCELLED_WITHIN_S = 3.0

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("stack"), pytest.mark.timeout(240)]


def generate(client: Client, topic: str) -> str:
    channel = client.expect(201, "POST", "/channels/", json={"name": "Signals"})
    body = {"channel_id": channel["id"], "topic": topic, "target_duration": 15}
    return str(client.expect(202, "POST", "/videos/generate", json=body)["job_id"])


def steps(job: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {step["name"]: step for step in job["steps"]}


def rendering(
    run: StackRun, client: Client
) -> tuple[str, dict[str, dict[str, str]], list[psutil.Process]]:
    """A job whose video is being rendered, its steps, and its worker, which stands still."""
    jobs: list[str] = []
    found: dict[str, dict[str, str]] = {}
    worker: list[psutil.Process] = []

    def is_caught() -> bool:
        if not jobs or client.job(jobs[-1])["status"] in ENDED:  # it was quicker than we looked
            jobs.append(generate(client, "Top 5 facts about railway signal boxes"))
        wait_until(lambda: steps(client.job(jobs[-1]))["render"]["status"] != "pending")
        worker[:] = worker_of_media(run)
        for process in worker:
            process.suspend()
        found.update(steps(client.job(jobs[-1])))
        if found["render"]["status"] == "running":
            return True
        for process in worker:
            process.resume()
        return False

    wait_until(is_caught, timeout_s=120)
    return jobs[-1], found, worker


def worker_of_media(run: StackRun) -> list[psutil.Process]:
    """Its main process first."""
    main = psutil.Process(run.pid_of("worker_media"))
    return [main, *main.children()]


def test_a_worker_killed_while_rendering_loses_nothing_that_was_done(
    run: StackRun, client: Client, tmp_path: Path
) -> None:
    job_id, before, worker = rendering(run, client)

    worker[0].kill()
    for child in worker[1:]:
        with suppress(psutil.NoSuchProcess):
            child.resume()
    job = client.ended(job_id, timeout_s=LEASE_S + 60)

    after = steps(job)
    assert (job["status"], job["attempt"], job["failures"]) == ("completed", 2, 0)
    assert after["script"] == before["script"]
    assert after["voice"] == before["voice"]
    assert_flower_shows(run, job_id, ("videos.generate", "FAILURE"))
    assert_flower_shows(run, f"{job_id}.2", ("videos.generate", "SUCCESS"))
    video = tmp_path / "video.mp4"
    video.write_bytes(client.request("GET", f"/jobs/{job_id}/artifacts/video.mp4").content)
    assert sorted(stream.codec for stream in streams(video)) == ["aac", "h264"]
    assert 13.5 <= length_s(video) <= 16.5


def test_a_running_job_is_cancelled_within_three_seconds(client: Client) -> None:
    def cancel_one() -> None:
        job_id = client.submit("diagnostics.sleep", {"seconds": 60})
        wait_until(lambda: client.has(job_id, "running"))
        client.expect(202, "POST", f"/jobs/{job_id}/cancel")
        wait_until(lambda: client.has(job_id, "cancelled"), timeout_s=CANCELLED_WITHIN_S)

    in_one_of_few_tries(cancel_one)


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
    for job_id in (done, retried, failed, cancelled):
        client.ended(job_id)
    for task_id, shown in expected.items():
        assert_flower_shows(run, task_id, shown)


def assert_flower_shows(run: StackRun, task_id: str, shown: tuple[str, str]) -> None:
    """Flower hears of it a moment after the ledger."""
    wait_until(lambda: in_flower(run, task_id) == shown)


def in_flower(run: StackRun, task_id: str) -> tuple[str, str] | None:
    """Name and state that Flower gives a task; None while it does not know it."""
    secrets = json.loads((run.home.path / "secrets.json").read_text())
    url = f"{run.document()['urls']['flower']}api/task/info/{task_id}"
    answer = requests.get(url, auth=("operator", secrets["flower_password"]), timeout=10)
    found = answer.json() if answer.ok else {}
    return (found["name"], found["state"]) if found else None
