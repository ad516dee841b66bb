"""What becomes of families when one of them is cancelled, fails, or is retried."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from embedded import wait_until
from families_of_trials import children, end, parent_of
from locks import waits_for_a_lock
from stellwerk.bootstrap import Platform
from stellwerk.errors import Conflict, ErrorCode, JobFailed
from stellwerk.jobs import control, families, lifecycle
from stellwerk.jobs.children import ChildJob
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.lineage import Parent
from stellwerk.jobs.model import Job
from stellwerk.jobs.requeue import EndedJobs, requeue
from stellwerk.jobs.runtime import unit
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.submission import Submission, accept
from stellwerk_workers.reports import Came
from trial import NAME, Trial, trial


def test_a_cancel_goes_down_the_tree(platform: Platform) -> None:
    def handler(ctx: JobContext, payload: dict[str, Any]) -> None:
        if payload["value"] < 3:
            ctx.submit_child(NAME, {"value": payload["value"] + 1}, key="next")
            ctx.wait_children()

    with trial(platform, handler) as run:
        line = [run.submit()]
        for _ in range(2):
            run.attempt(line[-1])
            line.append(children(run, line[-1])["next"])
        run.claim(line[2])

        control.cancel(run.runtime, line[0])
        assert [run.row(job_id).status for job_id in line] == ["cancelled", "waiting", "running"]
        turns = [families.cancel_abandoned(run.runtime) for _ in range(3)]

    assert turns == [1, 1, 0]
    assert [run.row(job_id).status for job_id in line] == ["cancelled", "cancelled", "running"]
    assert run.row(line[2]).cancel_requested_at
    assert not run.row(line[0]).cancels_children


def test_a_child_that_is_being_stored_while_its_parent_fails_is_cancelled_with_it(
    platform: Platform,
) -> None:
    def handler(*_: Any) -> None:
        raise JobFailed("no good")

    with trial(platform, handler) as run, ThreadPoolExecutor() as thread:
        parent = run.submit()
        claimed = run.claim(parent)
        assert claimed
        with unit(run.runtime) as work:
            made = Submission(NAME, {"value": 2}, None, parent=Parent(parent, "late"))
            child = accept(run.runtime, work, made, {"value": 2}).id
            failing = thread.submit(run.runner.attempt, claimed)
            wait_until(lambda: waits_for_a_lock(platform))
        assert failing.result().came is Came.FAILED
        families.cancel_abandoned(run.runtime)
        assert (run.row(parent).status, run.row(child).status) == ("failed", "cancelled")


@pytest.mark.parametrize(
    ("status", "left"), [(JobStatus.FAILED, "cancelled"), (JobStatus.COMPLETED, "queued")]
)
def test_a_parent_that_fails_takes_its_children_along_and_one_that_completes_does_not(
    platform: Platform, status: JobStatus, left: str
) -> None:
    with trial(platform, parent_of("a")) as run:
        parent = run.submit()
        run.attempt(parent)
        end(run, parent, status)
        families.cancel_abandoned(run.runtime)
    assert run.row(children(run, parent)["a"]).status == left


def test_a_child_retried_after_its_parents_end_runs_by_itself(platform: Platform) -> None:
    with trial(platform, parent_of("a")) as run:
        parent = run.submit()
        run.attempt(parent)
        control.cancel(run.runtime, parent)
        families.cancel_abandoned(run.runtime)
        child = children(run, parent)["a"]

        control.retry(run.runtime, child)

        assert families.cancel_abandoned(run.runtime) == 0
        assert run.attempt(child).came is Came.COMPLETED
    assert run.row(parent).status == "cancelled"


def test_a_retried_parent_has_the_children_that_failed_it_run_again(platform: Platform) -> None:
    bad = ["bad"]

    def handler(ctx: JobContext, payload: dict[str, Any]) -> Any:
        if payload["value"] in bad:
            raise JobFailed("as asked")
        return parent_of("bad", "good")(ctx, payload) if payload["value"] == 1 else {}

    with trial(platform, handler) as run:
        parent = run.submit()
        run.attempt(parent)
        born = children(run, parent)
        run.attempt(born["bad"])
        run.attempt(parent)

        bad.clear()
        control.retry(run.runtime, parent)
        assert {run.row(child).status for child in born.values()} == {"queued"}
        assert run.attempt(parent).came is Came.AGAIN
        for child in born.values():
            run.attempt(child)
        assert run.attempt(parent).came is Came.COMPLETED


def test_many_children_that_never_ran_are_cancelled_at_once_and_say_so(
    platform: Platform,
) -> None:
    def handler(ctx: JobContext, payload: dict[str, Any]) -> None:
        if payload["value"] == 1:
            ctx.submit_children([ChildJob(NAME, {"value": "x"}) for _ in range(300)])
            ctx.wait_children()

    with trial(platform, handler) as run:
        parent = run.submit()
        run.attempt(parent)
        control.cancel(run.runtime, parent)
        assert families.cancel_abandoned(run.runtime) == 300
        child = run.document(children(run, parent)[""])
        line = run.logs(UUID(child["job_id"]))[-1].message
    assert (child["status"], child["error"]["details"]) == (
        "cancelled",
        {"stopped": "before_start"},
    )
    assert line == "cancelled while no worker had it"


def test_children_that_are_cancelled_at_once_wake_a_parent_that_waits(platform: Platform) -> None:
    with trial(platform, parent_of("a", "b")) as run:
        parent = run.submit()
        run.attempt(parent)
        assert families.cancel_all(run.runtime, children(run, parent).values()) == 2
        assert run.attempt(parent).came is Came.FAILED
    assert run.document(parent)["error"]["code"] == "CHILD_FAILED"


def test_a_domain_hears_of_children_that_are_cancelled(platform: Platform) -> None:
    heard = []

    def hear(_: object, job: Job, __: object) -> None:
        heard.append(job.parent_key)

    with trial(platform, parent_of("a", "b"), on_end=hear) as run:
        parent = run.submit()
        run.attempt(parent)
        control.cancel(run.runtime, parent)
        assert families.cancel_abandoned(run.runtime) == 2
    assert sorted(filter(None, heard)) == ["a", "b"]


def test_a_waiting_parents_progress_is_that_of_its_children_and_is_kept_when_it_goes_on(
    platform: Platform,
) -> None:
    progress = []

    def handler(ctx: JobContext, payload: dict[str, Any]) -> Any:
        progress.append(run.row(ctx.job_id).progress)
        return parent_of("a", "b")(ctx, payload)

    with trial(platform, handler) as run:
        parent = run.submit()
        run.attempt(parent)
        a, b = children(run, parent).values()
        run.attempt(a)
        run.claim(b)
        with run.runtime.sessions.begin() as session:
            session.execute(update(Job).where(Job.id == b).values(progress=50))

        assert families.tell_parents(run.runtime) == 1
        assert families.tell_parents(run.runtime) == 0
        shown = run.document(parent)
        end(run, b, JobStatus.COMPLETED)
        run.attempt(parent)

    assert (shown["progress"], shown["message"]) == (75, "1 of 2 children have ended")
    assert progress[-1] == 75


def test_a_parent_that_failed_by_itself_has_the_children_it_took_along_run_again(
    platform: Platform,
) -> None:
    fails = [True]

    def handler(ctx: JobContext, payload: dict[str, Any]) -> Any:
        if payload["value"] != 1:
            return {"was": payload["value"]}
        ctx.submit_child(NAME, {"value": "a"}, key="a")
        if fails:
            raise JobFailed("by itself")
        return parent_of("a")(ctx, payload)

    with trial(platform, handler) as run:
        parent = run.submit()
        run.attempt(parent)
        families.cancel_abandoned(run.runtime)
        child = children(run, parent)["a"]
        assert run.row(child).status == "cancelled"

        control.retry(run.runtime, parent)
        assert run.row(child).status == "queued"
        run.attempt(parent)
        families.cancel_abandoned(run.runtime)
        assert run.row(child).status == "cancelled", "the second end takes it along as well"

        fails.clear()
        assert requeue(run.runtime, EndedJobs(operation=NAME), by=None).job_ids == [parent]
        run.attempt(parent)
        run.attempt(child)
        assert run.attempt(parent).came is Came.COMPLETED


def test_a_family_is_not_retried_while_it_is_being_cancelled(platform: Platform) -> None:
    with trial(platform, parent_of("runs", "ended", waits=False)) as run:
        parent = run.submit()
        run.claim(parent)
        made = [ChildJob(NAME, {"value": key}, key) for key in ("runs", "ended")]
        adopt(run, parent, made)
        born = children(run, parent)
        claimed = run.claim(born["runs"])
        assert claimed
        end(run, born["ended"], JobStatus.FAILED)
        end(run, parent, JobStatus.FAILED)

        for told in (0, 1):  # before a dispatcher asked the child to stop, and after
            for job_id in (parent, born["ended"])[: 2 - told]:
                with pytest.raises(Conflict, match="Try again when they have ended") as refused:
                    control.retry(run.runtime, job_id)
                assert refused.value.code is ErrorCode.JOB_NOT_RETRYABLE
            page = requeue(run.runtime, EndedJobs(operation=NAME), by=None)
            assert page.job_ids == ([born["ended"]] if told else [])
            families.cancel_abandoned(run.runtime)

        run.runner.end_unstarted(claimed, lifecycle.cancelled())
        control.retry(run.runtime, parent)
        assert {run.row(job_id).status for job_id in (parent, *born.values())} == {"queued"}


def adopt(run: Trial, parent: UUID, wanted: list[ChildJob]) -> None:
    """Give a job children, as a client would."""
    for one in wanted:
        run.submit(value=one.payload["value"], parent=Parent(parent, one.key))


def test_a_dispatcher_that_is_late_cancels_nothing_that_was_queued_again(
    platform: Platform,
) -> None:
    with trial(platform, parent_of("a")) as run:
        parent = run.submit()
        run.attempt(parent)
        control.cancel(run.runtime, parent)
        child = children(run, parent)["a"]
        families.cancel_abandoned(run.runtime)
        control.retry(run.runtime, parent)

        families.cancel_all(run.runtime, [child], only_abandoned=True)  # as it was seen before
        assert run.row(child).status == "queued"
        run.claim(child)
        families.cancel_all(run.runtime, [child], only_abandoned=True)
        assert run.row(child).cancel_requested_at is None
