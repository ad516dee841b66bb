"""Messages of jobs that wait, told by whoever carries out what they wait for."""

from typing import Any
from uuid import UUID

from stellwerk.bootstrap import Platform
from stellwerk.jobs import control
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.remarks import remark
from stellwerk.jobs.runtime import unit
from trial import Trial, trial


def approval(ctx: JobContext, _: dict[str, Any]) -> None:
    ctx.wait_for("approval", timeout_s=60)


def say(run: Trial, job_id: UUID, message: str) -> None:
    with unit(run.runtime) as work:
        remark(work, job_id, message)


def test_watchers_of_a_waiting_job_are_told_once_what_goes_on(platform: Platform) -> None:
    with trial(platform, approval) as run:
        job_id = run.submit()
        run.attempt(job_id)
        version = run.row(job_id).version

        say(run, job_id, "ringing")
        say(run, job_id, "ringing")

        assert run.document(job_id)["message"] == "ringing"
        shown = platform.live.read(job_id)
        assert shown
        assert (run.row(job_id).version, shown.version) == (version + 1, version + 1)


def test_a_job_that_does_not_wait_keeps_its_own_message(platform: Platform) -> None:
    with trial(platform, approval) as run:
        job_id = run.submit()
        say(run, job_id, "ringing")
        assert run.document(job_id)["message"] == ""
        run.attempt(job_id)
        control.signal(run.runtime, job_id, "approval")
        before = run.document(job_id)

        say(run, job_id, "ringing")

        assert run.document(job_id) == before
