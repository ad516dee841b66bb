"""Flower itself, beside real workers: jobs that travelled in lists are shown like any others."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select

from embedded import wait_until
from engine import Engine, as_variables
from stellwerk.bootstrap import Platform
from stellwerk.broker.calls import LIST_TASK
from stellwerk.jobs.bulk import submit_all
from stellwerk.jobs.model import Job
from stellwerk.jobs.submission import Submission
from stellwerk.settings import environment
from stellwerk.stack.ports import free_port

USER = ("operator", "only-for-tests")
ECHO, WAIT = "diagnostics.echo", "diagnostics.wait"


class Flower:
    """Its HTTP side."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/api"

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """What it answers; nothing while it is not up, or does not know."""
        try:
            answer = requests.get(f"{self.url}{path}", params=query, auth=USER, timeout=10)
        except requests.RequestException:
            return {}
        found: dict[str, Any] = answer.json() if answer.ok else {}
        return found

    def shows(self, job: Submission, state: str) -> bool:
        """Whether the first attempt is shown in this state, under its operation's name."""
        task = self.get(f"/task/info/{job.job_id}")
        return (task.get("name"), task.get("state")) == (job.operation, state)

    def listed(self) -> str:
        """Everything that it knows of the lists themselves."""
        return str(self.get("/tasks", taskname=LIST_TASK))


@pytest.fixture
def flower(engine: Engine, tmp_path: Path) -> Iterator[Flower]:
    """It hears the workers."""
    port = free_port()
    command = ["-m", "stellwerk.stack.flower", "--address=127.0.0.1", f"--port={port}"]
    login = dict(zip(("STELLWERK_FLOWER_USER", "STELLWERK_FLOWER_PASSWORD"), USER, strict=True))
    with (tmp_path / "flower.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, *command],
            env=environment() | as_variables(engine.settings) | login,
            cwd=tmp_path,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    made = Flower(port)
    try:
        wait_until(lambda: "short" in str(made.get("/workers")), timeout_s=60)
        yield made
    finally:
        process.terminate()
        process.wait(timeout=60)


def test_jobs_of_lists_are_found_in_flower_with_the_outcomes_that_the_ledger_has(
    platform: Platform, flower: Flower
) -> None:
    echoes = [Submission(ECHO, {}, None) for _ in range(40)]
    submit_all(platform.runtime, echoes)
    wait_until(lambda: standing(platform) == {"completed": 40})
    # In turns, so that those of either kind are in the first list.
    waits = [Submission(WAIT, {"timeout_s": 3600 * (n % 2)}, None) for n in range(60)]
    submit_all(platform.runtime, waits)
    wait_until(lambda: standing(platform) == {"completed": 40, "failed": 30, "waiting": 30})

    expected = [(job, "SUCCESS") for job in echoes[:4]]
    expected += [(job, "FAILURE") for job in waits[0:8:2]]
    expected += [(job, "RETRY") for job in waits[1:8:2]]
    for job, state in expected:
        wait_until(lambda: flower.shows(job, state))  # noqa: B023  waited for at once
    assert ECHO in flower.listed()
    assert WAIT in flower.listed()
    for path in ("/workers", "/task/info/1"):
        assert requests.get(f"{flower.url}{path}", timeout=10).status_code == 401


def standing(platform: Platform) -> dict[str, int]:
    """How many jobs there are by status."""
    with platform.runtime.sessions() as session:
        query = select(Job.status, func.count()).group_by(Job.status)
        return {row[0]: row[1] for row in session.execute(query)}
