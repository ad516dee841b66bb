"""Processes die at the point that was armed, once, and the job is carried out all the same."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from embedded import wait_until
from engine import Engine
from stellwerk.bootstrap import Platform
from stellwerk.clock import new_id
from stellwerk.errors import ConfigurationError
from stellwerk.jobs.crash_points import CrashPoint
from stellwerk.jobs.model import Job
from stellwerk.jobs.submission import Submission, submit
from stellwerk.settings import load_settings

BY_THE_POINT = """
import sys, uuid
from types import SimpleNamespace
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.settings import load_settings
passer = SimpleNamespace(settings=load_settings(crash_folder=sys.argv[1]), role=sys.argv[2])
reach(passer, CrashPoint.AFTER_CLAIM, uuid.UUID(sys.argv[3]), step="sleep", key=sys.argv[4])
"""


def passes(folder: Path, job_id: object, *, role: str = "worker", key: str = "1") -> int:
    """The exit code of a process that comes by the point `after_claim`."""
    command = [sys.executable, "-c", BY_THE_POINT, str(folder), role, str(job_id), key]
    return subprocess.run(command, check=False).returncode  # noqa: S603  our own Python


def test_an_armed_point_kills_one_process_and_is_spent(tmp_path: Path) -> None:
    job_id = new_id()
    (tmp_path / CrashPoint.AFTER_CLAIM).touch()

    assert passes(tmp_path, job_id) == -signal.SIGKILL
    assert passes(tmp_path, job_id) == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"after_claim.{job_id}.fired"]


def test_a_point_armed_for_one_job_spares_the_others(tmp_path: Path) -> None:
    (tmp_path / f"{CrashPoint.AFTER_CLAIM}.{new_id()}").touch()

    assert passes(tmp_path, new_id()) == 0


def test_a_point_armed_for_a_role_and_a_step_spares_other_roles_and_steps(tmp_path: Path) -> None:
    job_id = new_id()
    armed = f"{CrashPoint.AFTER_CLAIM}@dispatcher~sleep-2.{job_id}"
    (tmp_path / armed).touch()

    assert passes(tmp_path, job_id, key="2") == 0
    assert passes(tmp_path, job_id, role="dispatcher") == 0
    assert passes(tmp_path, job_id, role="dispatcher", key="2") == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == [f"{armed}.fired"]


def test_production_mode_refuses_a_crash_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"CRASH_FOLDER.*production"):
        load_settings(mode="production", crash_folder=tmp_path)


def test_a_job_survives_a_crash_after_its_claim_and_one_between_its_steps(
    platform: Platform, engine: Engine
) -> None:
    folder = platform.settings.crash_folder
    assert folder
    assert "long" in engine.processes
    wanted = Submission("diagnostics.sleep", {"seconds": 0.2, "steps": 3}, owner_id=None)
    points = [CrashPoint.AFTER_CLAIM, f"{CrashPoint.BETWEEN_STEPS}~sleep-2"]
    for point in points:
        (folder / f"{point}.{wanted.job_id}").touch()

    submit(platform.runtime, wanted)
    wait_until(lambda: row(platform, wanted).finished_at, timeout_s=60)

    assert all((folder / f"{point}.{wanted.job_id}.fired").exists() for point in points)
    ended = row(platform, wanted)
    assert (ended.status, ended.attempt, ended.crashes) == ("completed", 3, 2)


def row(platform: Platform, wanted: Submission) -> Job:
    """The job as the ledger has it."""
    with platform.runtime.sessions() as session:
        return session.get_one(Job, wanted.job_id)
