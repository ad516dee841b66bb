"""A process that kills itself over one job of a list has told before what became of that."""

from dataclasses import replace
from threading import Event
from typing import Any

from stellwerk.bootstrap import Platform
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.control import cancel
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import RetryPolicy
from stellwerk.jobs.ports import Wakeup
from stellwerk_workers.finisher import Finisher
from stellwerk_workers.lists import JobList
from trial import NAME, trial


def test_a_job_of_a_list_that_hears_nothing_of_its_cancel_is_cancelled_before_the_kill(
    platform: Platform,
) -> None:
    job = left_by_kill(platform, is_cancelled=True)
    assert (job.status, (job.error or {})["details"]) == ("cancelled", {"stopped": "killed"})


def test_a_job_of_a_list_that_is_over_its_limit_has_failed_before_the_kill(
    platform: Platform,
) -> None:
    job = left_by_kill(platform, is_cancelled=False, time_limit_s=0.5)
    assert (job.status, job.failures, job.queue) == ("queued", 1, "long")


def test_its_last_attempt_fails_it(platform: Platform) -> None:
    retry = RetryPolicy(max_attempts=1)
    job = left_by_kill(platform, is_cancelled=False, time_limit_s=0.5, retry=retry)
    assert (job.status, (job.error or {})["code"]) == ("failed", "TIME_LIMIT_EXCEEDED")


def busy(until: Event) -> None:
    assert until.wait(30)


def left_by_kill(platform: Platform, *, is_cancelled: bool, **declared: Any) -> Job:
    """What the ledger has of a job that hangs when its process is killed.

    Its list's finisher is at work on another job meanwhile, so that only what is written at once
    is written at all.
    """
    killed, found = Event(), []

    def handler(ctx: JobContext, payload: dict[str, Any]) -> None:
        if payload["value"] == "hangs":
            if is_cancelled:
                cancel(run.runtime, ctx.job_id)
            assert killed.wait(30)

    settings = platform.settings.model_copy(update={"job_kill_grace_s": 0.1})
    with trial(platform, handler, settings=settings, **declared) as run:
        first, hanging = run.submit(), run.submit(value="hangs")

        def die() -> None:
            if not killed.is_set():
                found.append(run.row(hanging))
            killed.set()

        runner = replace(run.runner, die=die)
        finisher = Finisher(runner, lambda _: busy(killed))
        wakeups = [Wakeup(job_id, 0, NAME, "short") for job_id in (first, hanging)]
        JobList(runner, finisher, run.runtime.registry.get(NAME)).run(wakeups, "trial")
        finisher.stop()
    return found[0]
