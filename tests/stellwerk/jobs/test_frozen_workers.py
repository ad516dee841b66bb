"""A worker is frozen past its lease between intent and call, replaced, and thawed."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psutil

import frozen_worker
from embedded import wait_until
from engine import as_variables
from stellwerk.bootstrap import Platform
from stellwerk.diagnostics.recorder import recorder
from stellwerk.jobs import dispatch
from stellwerk.settings import environment
from trial import Trial, trial

KINDS = ("idempotent", "probe", "blind")


def test_an_effect_happens_at_most_once_though_a_frozen_worker_thaws_before_its_call(
    platform: Platform,
) -> None:
    with trial(platform, frozen_worker.effect_of) as run:
        jobs = {kind: run.submit(value=kind) for kind in KINDS}
        with frozen(platform, list(jobs.values())) as worker:
            rescued: list[object] = []
            wait_until(lambda: more(rescued, run) == len(jobs), timeout_s=60)
            for job_id in jobs.values():
                finish(run, job_id)
            said = thawed(worker)

    counts = recorder(platform.settings).counts()
    times = {
        kind: sum(count for key, count in counts.items() if key.startswith(str(job_id)))
        for kind, job_id in jobs.items()
    }
    assert times == {"idempotent": 1, "probe": 1, "blind": 0}
    assert said == ["nothing"] * 3
    states = {kind: run.document(job_id)["status"] for kind, job_id in jobs.items()}
    assert states == {"idempotent": "completed", "probe": "completed", "blind": "failed"}
    assert run.document(jobs["blind"])["error"]["code"] == "EFFECT_UNCERTAIN"


@contextmanager
def frozen(platform: Platform, jobs: list[UUID]) -> Iterator["subprocess.Popen[str]"]:
    """A worker that has begun all these jobs, once it is frozen."""
    worker = start(platform, jobs)
    process = psutil.Process(worker.pid)
    try:
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, timeout_s=120)
        yield worker
    finally:
        worker.kill()
        worker.communicate()


def start(platform: Platform, jobs: list[UUID]) -> "subprocess.Popen[str]":
    path = ":".join(sys.path)
    return subprocess.Popen(  # noqa: S603  our own script
        [sys.executable, frozen_worker.__file__, *map(str, jobs)],
        env=environment() | as_variables(platform.settings) | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )


def more(rescued: list[object], run: Trial) -> int:
    """The dispatcher's part; how many leases have run out so far."""
    rescued += dispatch.rescue_expired(run.runtime)
    return len(rescued)


def finish(run: Trial, job_id: UUID) -> None:
    """Let a successor run the job to its end, at once or after the time that a call may take."""

    def has_ended() -> bool:
        run.attempt(job_id)
        return run.row(job_id).finished_at is not None

    wait_until(has_ended, timeout_s=60)


def thawed(worker: "subprocess.Popen[str]") -> list[str]:
    """What the frozen attempts came to in the end."""
    worker.send_signal(signal.SIGCONT)
    out, _ = worker.communicate(timeout=120)
    return out.splitlines()[-1].split()
