"""What a handler sees of the children it makes and waits for."""

from concurrent.futures import ThreadPoolExecutor
from threading import current_thread
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, func, text, update

from embedded import wait_until
from families_of_trials import children, end, parent_of
from stellwerk.bootstrap import Platform
from stellwerk.errors import Conflict, ErrorCode, ProviderUnavailable
from stellwerk.jobs import control
from stellwerk.jobs.children import ChildFailure, ChildJob
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.lineage import Parent
from stellwerk.jobs.model import Job
from stellwerk.jobs.states import JobStatus
from stellwerk_workers.reports import Came
from trial import NAME, Trial, trial

WAITING_FOR_LOCKS = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")


def test_a_parent_gives_its_worker_back_and_goes_on_with_its_childrens_results_in_order(
    platform: Platform,
) -> None:
    with trial(platform, parent_of("a", "b")) as run:
        parent = run.submit(tags=("red",), request_id="r-1")
        assert run.attempt(parent).came is Came.AGAIN
        assert run.document(parent)["status"] == "waiting"
        born = children(run, parent)

        run.attempt(born["b"])
        assert run.row(parent).status == "waiting"
        run.attempt(born["a"])
        assert run.row(parent).status == "queued"

        assert run.attempt(parent).came is Came.COMPLETED
    assert run.document(parent)["result"] == {
        "ends": [["a", "completed", {"was": "a"}], ["b", "completed", {"was": "b"}]]
    }
    child = run.row(born["a"])
    assert (child.tags, child.request_id, child.depth) == (["red"], "r-1", 1)
    assert run.document(child.id)["links"]["parent"] == f"/api/v1/jobs/{parent}"


def test_an_attempt_that_runs_again_finds_the_children_of_the_one_before(
    platform: Platform,
) -> None:
    def handler(ctx: JobContext, payload: dict[str, Any]) -> Any:
        made = parent_of("a", waits=False)(ctx, payload)
        ctx.submit_children([ChildJob(NAME, {"value": "x"}), ChildJob(NAME, {"value": "y"})])
        if ctx.attempt == 1:
            raise ProviderUnavailable("crash")
        return made

    with trial(platform, handler) as run:
        parent = run.submit()
        run.attempt(parent)
        before = children(run, parent)
        run.attempt(parent)
    assert list(before) == ["a", "", "#2"]
    assert children(run, parent) == before


def test_a_key_means_the_same_child_for_ever(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.submit_child(NAME, {"value": "a"}, key="a")
        ctx.submit_child("another.operation", {}, key="a")

    with trial(platform, handler) as run:
        parent = run.submit()
        run.attempt(parent)
    assert "is a trial.run already" in run.logs(parent)[0].message


def test_several_waits_each_have_their_own_children(platform: Platform) -> None:
    def handler(ctx: JobContext, payload: dict[str, Any]) -> Any:
        if payload["value"] != 1:
            return {"was": payload["value"]}
        found = []
        for key in ("a", "b"):
            ctx.submit_child(NAME, {"value": key}, key=key)
            found += [end.result for end in ctx.wait_children([key])]
        return {"found": found, "none": ctx.wait_children([])}

    with trial(platform, handler) as run:
        parent = run.submit()
        for key in ("a", "b"):
            run.attempt(parent)
            run.attempt(children(run, parent)[key])
        run.attempt(parent)
    assert run.document(parent)["result"] == {"found": [{"was": "a"}, {"was": "b"}], "none": []}


def test_the_first_failure_wakes_the_parent_which_fails_and_has_the_others_cancelled(
    platform: Platform,
) -> None:
    with trial(platform, parent_of("slow", "bad")) as run:
        parent = run.submit()
        run.attempt(parent)
        born = children(run, parent)
        run.attempt(born["bad"])

        assert run.attempt(parent).came is Came.FAILED

    assert run.row(born["slow"]).status == "cancelled"
    error = run.document(parent)["error"]
    assert (error["code"], error["message"]) == (
        "CHILD_FAILED",
        "1 of 2 children failed, the first one: as asked",
    )
    named = {"job_id": str(born["bad"]), "key": "bad", "code": "JOB_FAILED"}
    assert error["details"] == {"children": [named]}


@pytest.mark.parametrize(
    ("failure", "came"),
    [(ChildFailure.WAIT_ALL, Came.FAILED), (ChildFailure.IGNORE, Came.COMPLETED)],
)
def test_a_parent_may_wait_for_all_whatever_becomes_of_some(
    platform: Platform, failure: ChildFailure, came: Came
) -> None:
    with trial(platform, parent_of("bad", "good", failure=failure)) as run:
        parent = run.submit()
        run.attempt(parent)
        born = children(run, parent)
        run.attempt(born["bad"])
        assert run.row(parent).status == "waiting"
        run.attempt(born["good"])
        assert run.attempt(parent).came is came
    assert run.row(born["good"]).status == "completed"


@pytest.mark.parametrize(("limit", "allowed"), [("job_children_max", 2), ("job_depth_max", 1)])
def test_families_do_not_grow_without_bounds(platform: Platform, limit: str, allowed: int) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        for key in "abc" if limit == "job_children_max" else "a":
            ctx.submit_child(NAME, {"value": key}, key=key)

    settings = platform.settings.model_copy(update={limit: allowed})
    with trial(platform, handler, settings=settings) as run:
        parent = run.submit()
        run.attempt(parent)
        born = children(run, parent)
        if limit == "job_depth_max":
            parent = born["a"]
            run.attempt(parent)
    assert len(born) == allowed
    assert run.document(parent)["error"]["code"] == "CHILD_LIMIT_REACHED"


def test_those_who_add_children_at_the_same_moment_keep_to_the_limit(platform: Platform) -> None:
    settings = platform.settings.model_copy(update={"job_children_max": 2})
    with trial(platform, parent_of(), settings=settings) as run, ThreadPoolExecutor() as threads:
        parent = run.submit()
        run.submit(parent=Parent(parent, "a"))
        with run.runtime.sessions.begin() as session:
            control.locked(session, parent)
            made = [threads.submit(run.submit, parent=Parent(parent, key)) for key in "bcd"]
            wait_until(lambda: waiting_for_locks(run) == len(made))
        errors = [one.exception() for one in made]

    refused = [error for error in errors if isinstance(error, Conflict)]
    assert [error.code for error in refused] == [ErrorCode.CHILD_LIMIT_REACHED] * 2
    assert len(children(run, parent)) == 2


def test_a_parent_that_is_being_cancelled_takes_no_children(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        control.cancel(run.runtime, ctx.job_id)
        ctx.submit_child(NAME, {"value": "a"}, key="a")

    with trial(platform, handler) as run:
        parent = run.submit()
        assert run.attempt(parent).came is Came.CANCELLED
    assert children(run, parent) == {}


def test_a_thousand_children_take_few_statements_and_wake_their_parent_once(
    platform: Platform,
) -> None:
    statements: list[str] = []
    handling = current_thread()

    def handler(ctx: JobContext, payload: dict[str, Any]) -> Any:
        if payload["value"] != 1:
            return {}
        event.listen(platform.engine, "before_cursor_execute", heard)
        ctx.submit_children([ChildJob(NAME, {"value": str(i)}, str(i)) for i in range(1000)])
        event.remove(platform.engine, "before_cursor_execute", heard)
        return {"results": len(ctx.wait_children())}

    def heard(_: Any, __: Any, statement: str, *___: Any) -> None:
        if current_thread() is handling:  # and not the heartbeat, which asks the more the longer
            statements.append(statement)

    with trial(platform, handler) as run:
        parent = run.submit()
        run.attempt(parent)
        waiting = run.row(parent).version
        born = list(children(run, parent).values())
        for child in born[:20]:
            end(run, child, JobStatus.COMPLETED)
        assert run.row(parent).version == waiting
        end_silently(run, born[20:-1])
        end(run, born[-1], JobStatus.COMPLETED)
        assert (run.row(parent).status, run.row(parent).version) == ("queued", waiting + 1)
        run.attempt(parent)
    assert run.document(parent)["result"] == {"results": 1000}
    assert len(statements) < 25


def test_children_with_a_parent_that_ended_are_refused(platform: Platform) -> None:
    with trial(platform, parent_of(waits=False)) as run:
        parent = run.submit()
        run.attempt(parent)
        with pytest.raises(Conflict):
            run.submit(parent=Parent(parent, "a"))
        other = run.submit()
        first = run.submit(parent=Parent(other, "a"))
        with pytest.raises(Conflict) as twin:
            run.submit(parent=Parent(other, "a"))
    assert twin.value.code is ErrorCode.DUPLICATE_JOB
    assert twin.value.details == {"job_id": str(first)}


def end_silently(run: Trial, jobs: list[UUID]) -> None:
    """As if each had ended long ago, which woke nobody."""
    done = {"status": "completed", "finished_at": func.now()}
    with run.runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id.in_(jobs)).values(**done))


def waiting_for_locks(run: Trial) -> int:
    """How many transactions wait for another one's end."""
    with run.runtime.sessions() as session:
        number: int = session.scalars(WAITING_FOR_LOCKS).one()
    return number
