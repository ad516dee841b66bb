from decimal import Decimal
from typing import Any

import pytest

from stellwerk.bootstrap import Platform
from stellwerk.errors import JobFailed, ProviderUnavailable
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.operation import RetryPolicy, Step
from stellwerk_workers.reports import Came
from trial import trial


def test_a_step_that_was_done_is_not_run_again_by_the_next_attempt(platform: Platform) -> None:
    ran: list[str] = []

    def make() -> dict[str, int]:
        ran.append("first")
        return {"made": 7}

    def handler(ctx: JobContext, _: dict[str, Any]) -> dict[str, Any]:
        first = ctx.step("first", make)
        ran.append("second")
        if ctx.attempt == 1:
            raise ProviderUnavailable("not yet")
        return {"first": first}

    with trial(platform, handler) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.AGAIN
        assert run.attempt(job_id).came is Came.COMPLETED

    assert ran == ["first", "second", "second"]
    assert run.document(job_id)["result"] == {"first": {"made": 7}}


def test_progress_follows_the_weights_of_the_steps_and_never_goes_back(
    platform: Platform,
) -> None:
    seen: list[int] = []

    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        for name in ("light", "heavy"):
            ctx.step(name, lambda: None)
            seen.append(run.document(ctx.job_id)["progress"])
        ctx.progress(0.0)
        seen.append(run.document(ctx.job_id)["progress"])

    steps = (Step("light", 1), Step("heavy", 3))
    with trial(platform, handler, steps=steps) as run:
        run.attempt(run.submit())

    assert seen == [25, 99, 99]


def test_an_older_attempt_cannot_write_any_more(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        if ctx.attempt == 1:
            with run.runtime.sessions.begin() as session:
                job = session.get_one(type(run.row(ctx.job_id)), ctx.job_id)
                job.status, job.lease_token, job.lease_until = "queued", None, None
            assert run.attempt(ctx.job_id).came is Came.COMPLETED
            ctx.step("late", lambda: pytest.fail("ran without its lease"))

    with trial(platform, handler) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.NOTHING

    assert run.document(job_id)["attempt"] == 2
    assert run.document(job_id)["steps"] == []


def test_a_draining_worker_hands_the_job_over_between_steps_uncounted(
    platform: Platform,
) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.step("first", lambda: None)
        run.draining = ctx.attempt == 1
        ctx.step("second", lambda: None)

    with trial(platform, handler) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.AGAIN
        handed_over = run.row(job_id)
        assert (handed_over.status, handed_over.failures, handed_over.crashes) == ("queued", 0, 0)
        assert run.attempt(job_id).came is Came.COMPLETED


def test_a_failed_job_is_rolled_back_in_reverse_and_shows_it(platform: Platform) -> None:
    undone: list[Any] = []

    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.step("service", lambda: "id-1")
        ctx.step("files", lambda: "folder")
        raise JobFailed("no good")

    undo = {
        "service": lambda _, output: undone.append(("service", output)),
        "files": lambda _, output: undone.append(("files", output)),
    }
    with trial(platform, handler, undo=undo) as run:
        job_id = run.submit()
        run.attempt(job_id)
        assert run.document(job_id)["status"] == "running"
        assert run.attempt(job_id).came is Came.FAILED

    assert undone == [("files", "folder"), ("service", "id-1")]
    job = run.document(job_id)
    assert (job["status"], job["error"]["code"]) == ("failed", "JOB_FAILED")
    assert job["error"]["message"] == "no good"
    assert [step["status"] for step in job["steps"]] == ["undone", "undone"]


def test_an_undo_that_fails_is_retried_and_at_last_named_in_the_error(
    platform: Platform,
) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.step("service", lambda: "id-1")
        raise JobFailed("no good")

    def stuck(_: JobContext, __: Any) -> None:
        raise ProviderUnavailable("the swarm is gone")

    policy = RetryPolicy(max_attempts=2, base_s=0.0)
    with trial(platform, handler, undo={"service": stuck}, retry=policy) as run:
        job_id = run.submit()
        came = [run.attempt(job_id).came for _ in range(3)]

    assert came == [Came.FAILED, Came.AGAIN, Came.FAILED]
    error = run.document(job_id)["error"]
    assert error["code"] == "UNDO_FAILED"
    assert error["message"] == "no good. Rolling it back failed: the swarm is gone"
    assert error["details"] == {"cause": "JOB_FAILED", "undo": "the swarm is gone"}


def test_costs_of_a_failed_attempt_are_kept_and_artifacts_are_not(
    platform: Platform,
) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.cost("openai", "token", Decimal(1000), Decimal("0.000002"))
        path = ctx.workdir / "half.txt"
        path.write_text("half")
        ctx.artifact("half.txt", path, "text/plain")
        raise JobFailed("no good")

    with trial(platform, handler) as run:
        job_id = run.submit()
        run.attempt(job_id)

    job = run.document(job_id)
    assert job["cost"] == 0.002
    assert job["artifacts"] == []


def test_an_artifact_made_by_one_attempt_is_fetched_by_the_next(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> dict[str, Any]:
        def make() -> None:
            path = ctx.workdir / "note.txt"
            path.write_text(f"attempt {ctx.attempt}")
            ctx.artifact("note.txt", path, "text/plain")

        ctx.step("make", make)
        if ctx.attempt == 1:
            raise ProviderUnavailable("not yet")
        return {"note": ctx.fetch("note.txt").read_text()}

    with trial(platform, handler) as run:
        job_id = run.submit()
        run.attempt(job_id)
        run.attempt(job_id)

    job = run.document(job_id)
    assert job["result"] == {"note": "attempt 1"}
    assert [(item["name"], item["size_bytes"]) for item in job["artifacts"]] == [("note.txt", 9)]


def test_a_rollback_hides_no_failure_that_led_to_it(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.step("service", lambda: None)
        raise ProviderUnavailable("no")

    shown: list[int] = []

    def undo(ctx: JobContext, _: Any) -> None:
        shown.append(run.document(ctx.job_id)["failures"])

    policy = RetryPolicy(max_attempts=2, base_s=0.0, max_s=0.0)
    with trial(platform, handler, undo={"service": undo}, retry=policy) as run:
        job_id = run.submit()
        for _ in range(3):
            run.attempt(job_id)

    assert shown == [2]
    assert run.document(job_id)["status"] == "failed"
    assert run.document(job_id)["failures"] == 2
