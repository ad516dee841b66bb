"""Several beats, one of which is killed: each time something is due it is done once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from embedded import wait_until
from engine import Engine, as_variables
from stellwerk.bootstrap import Platform
from stellwerk.jobs.model import Job
from stellwerk.settings import environment

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

TURNS = 3
EVERY_S = 1
GOES_ON_WITHIN_S = 10.0
OPERATION = "diagnostics.echo"  # over long before its next turn
QUICK_BEAT = f"""
from celery.schedules import schedule
from stellwerk_workers.beat_app import app
from stellwerk_workers.beat import SUBMIT_TASK

app.conf.beat_schedule = {{
    "echo": {{
        "task": SUBMIT_TASK,
        "schedule": schedule(run_every={EVERY_S}),
        "args": ("{OPERATION}", {EVERY_S}),
        "options": {{"queue": "short"}},
    }}
}}
"""


@contextmanager
def beat(platform: Platform, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A beat with one thing to do, often."""
    folder.mkdir()
    (folder / "quick_beat.py").write_text(QUICK_BEAT)
    command = ["celery", "-A", "quick_beat", "beat", "-s", str(folder / "schedule"), "--pidfile="]
    path = {"PYTHONPATH": str(folder)}
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  our own beat
            [sys.executable, "-m", *command],
            env=environment() | as_variables(platform.settings) | path,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def test_two_beats_one_of_them_killed_make_one_job_for_each_turn(
    platform: Platform, engine: Engine, tmp_path: Path
) -> None:
    assert "short" in engine.processes
    with beat(platform, tmp_path / "one") as first, beat(platform, tmp_path / "two") as second:
        wait_until(lambda: len(turns(platform)) >= TURNS, timeout_s=60)
        os.kill(first.pid, signal.SIGKILL)
        before = len(turns(platform))
        wait_until(lambda: len(turns(platform)) >= before + TURNS, timeout_s=GOES_ON_WITHIN_S)
        assert second.poll() is None

    found = turns(platform)
    assert found == sorted(set(found))


def turns(platform: Platform) -> list[int]:
    """The turn in which each job was made, in order."""
    query = select(Job.id).where(Job.operation == OPERATION).order_by(Job.id)
    with platform.runtime.sessions() as session:
        made_ms = [job_id.int >> 80 for job_id in session.scalars(query)]
    return [round(ms / 1000 / EVERY_S) for ms in made_ms]
