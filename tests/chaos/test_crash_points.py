"""Processes die at every named point of a job's life; the job is carried out, its effect once."""

import subprocess
import sys
import time
from uuid import UUID

import pytest

from embedded import wait_until
from engine import Engine, as_variables
from stellwerk.bootstrap import Platform
from stellwerk.clock import new_id
from stellwerk.diagnostics.recorder import recorder
from stellwerk.jobs.crash_points import CrashPoint
from stellwerk.jobs.model import Job
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.submission import Submission, submit
from stellwerk.settings import environment

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

SHOWN_WITHIN_S = 20.0  # what nobody shows again is never shown
IN_A_WORKER = [
    CrashPoint.AFTER_ACK_BEFORE_CLAIM,
    CrashPoint.AFTER_CLAIM,
    CrashPoint.BEFORE_EFFECT,
    CrashPoint.AFTER_EFFECT,
    CrashPoint.BEFORE_FINISH,
    CrashPoint.AFTER_FINISH,
]
SUBMITTER = """
import sys
from uuid import UUID
from stellwerk.bootstrap import bootstrap
from stellwerk.jobs.submission import Submission, submit
from stellwerk.settings import settings

submission = Submission(
    "diagnostics.effect", {"kind": "probe"}, owner_id=None, job_id=UUID(sys.argv[1])
)
submit(bootstrap(settings(), role="tests").runtime, submission)
"""


def arm(platform: Platform, point: CrashPoint, job_id: UUID) -> None:
    assert platform.settings.crash_folder
    (platform.settings.crash_folder / f"{point}.{job_id}").touch()


def has_fired(platform: Platform, point: CrashPoint, job_id: UUID) -> bool:
    assert platform.settings.crash_folder
    return (platform.settings.crash_folder / f"{point}.{job_id}.fired").exists()


def row(platform: Platform, job_id: UUID) -> Job:
    with platform.runtime.sessions() as session:
        return session.get_one(Job, job_id)


def assert_done_once(platform: Platform, job_ids: list[UUID], *, effects: int) -> None:
    """Every job completed, the outside world counts its effects, and clients are told at once."""
    assert slowest_to_be_shown_s(platform, job_ids) <= SHOWN_WITHIN_S
    world = recorder(platform.settings).counts()
    for job_id in job_ids:
        ended = row(platform, job_id)
        assert (ended.status, ended.failures) == ("completed", 0), ended.error
        counts = [count for key, count in world.items() if key.startswith(str(job_id))]
        assert counts == [1] * effects


def slowest_to_be_shown_s(platform: Platform, job_ids: list[UUID]) -> float:
    """Watches until all have ended and are shown as the ledger has them; the longest between."""
    ended_at: dict[UUID, float] = {}
    shown_after_s: dict[UUID, float] = {}

    def look() -> bool:
        for job_id in set(job_ids) - shown_after_s.keys():
            job = row(platform, job_id)
            if job.finished_at is None:
                continue
            since = ended_at.setdefault(job_id, time.monotonic())
            shown = platform.live.read(job_id)
            if shown and shown.version == job.version:
                shown_after_s[job_id] = time.monotonic() - since
        return len(shown_after_s) == len(set(job_ids))

    wait_until(look, timeout_s=120)
    return max(shown_after_s.values())


def test_workers_that_die_anywhere_lose_no_job_and_repeat_no_effect(
    platform: Platform, engine: Engine
) -> None:
    assert "long" in engine.processes
    wanted = {
        (kind, point): Submission(
            "diagnostics.effect", {"kind": kind, "count": 2}, owner_id=None, job_id=new_id()
        )
        for kind in ("idempotent", "probe")
        for point in IN_A_WORKER
    }
    for (_, point), submission in wanted.items():
        arm(platform, point, submission.job_id)
    for submission in wanted.values():
        submit(platform.runtime, submission)
    assert_done_once(platform, [one.job_id for one in wanted.values()], effects=2)
    assert all(has_fired(platform, point, one.job_id) for (_, point), one in wanted.items())


@pytest.mark.parametrize("point", [CrashPoint.AFTER_COMMIT, CrashPoint.AFTER_PUBLISH])
def test_a_process_that_dies_while_it_submits_loses_no_job(
    platform: Platform, engine: Engine, point: CrashPoint
) -> None:
    assert "dispatcher" in engine.processes
    job_id = new_id()
    arm(platform, point, job_id)
    died = subprocess.run(  # noqa: S603  our own script
        [sys.executable, "-c", SUBMITTER, str(job_id)],
        env=environment() | as_variables(platform.settings),
        check=False,
    )
    assert died.returncode == -9
    assert_done_once(platform, [job_id], effects=1)


def test_wake_ups_that_come_twice_do_nothing_twice(platform: Platform, engine: Engine) -> None:
    assert "long" in engine.processes
    ids = [
        submit(platform.runtime, Submission("diagnostics.effect", {"kind": "blind"}, owner_id=None))
        for _ in range(10)
    ]
    wakeups = [Wakeup(job_id, 0, "diagnostics.effect", "long") for job_id in ids]
    for _ in range(3):
        platform.runtime.publisher.publish(wakeups)
    assert_done_once(platform, ids, effects=1)
