"""A rollback waits for what is under way; what it undoes is done again by a retry."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import text

from families_of_trials import children
from stellwerk.bootstrap import Platform
from stellwerk.errors import ErrorCode, JobFailed, ProviderUnavailable
from stellwerk.jobs import control, dispatch, families, lifecycle
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.effects import Effect, Repeat
from stellwerk.jobs.model import JobStep, StepState
from stellwerk.jobs.operation import Registry, Step
from stellwerk.jobs.resolution import Resolution, resolve
from stellwerk_workers.reports import Came
from trial import NAME, Trial, trial

_AN_HOUR_LATER = text("""
    UPDATE jobs SET published_at = NULL, run_at = now(),
        ending = ending || jsonb_build_object('begun_at', now() - interval '61 minutes')
    WHERE id = :id
""")


class House:
    """The world: remembers the keys that it was called with, by effect."""

    def __init__(self) -> None:
        self.calls: dict[str, list[str]] = {}

    def do(self, ctx: JobContext, name: str) -> str:
        """Have it done as an effect."""

        def call(key: str) -> str:
            self.calls.setdefault(name, []).append(key)
            return key

        done: str = ctx.effect(Effect(name, call, Repeat.BLIND, call_timeout_s=1))
        return done


def ordering(
    house: House, fails: list[int]
) -> Callable[[JobContext, dict[str, Any]], dict[str, Any]]:
    """Orders within an undoable step, one part of it deeper, and greets outside of it."""

    def place(ctx: JobContext) -> str:
        ctx.step("address", lambda: house.do(ctx, "label"))
        return house.do(ctx, "order")

    def handler(ctx: JobContext, _: dict[str, Any]) -> dict[str, Any]:
        house.do(ctx, "greeting")
        number = ctx.step("place", lambda: place(ctx))
        if fails:
            raise JobFailed("no good")
        return {"number": number}

    return handler


def test_a_process_that_does_not_know_the_operation_leaves_its_rollback_to_one_that_does(
    platform: Platform,
) -> None:
    undone = []

    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.step("place", lambda: 7)
        raise ProviderUnavailable("later")

    def undo(_: JobContext, output: Any) -> None:
        undone.append(output)

    with trial(platform, handler, undo={"place": undo}) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.AGAIN
        control.cancel(replace(run.runtime, registry=Registry(())), job_id)
        assert run.row(job_id).status == "queued"
        assert run_out(run, job_id) is Came.CANCELLED
    assert undone == [7]


def test_what_nobody_knows_for_an_hour_ends_without_its_rollback(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.step("place", lambda: 7)
        raise ProviderUnavailable("later")

    with trial(platform, handler, undo={"place": lambda *_: None}) as run:
        unknowing = replace(run.runtime, registry=Registry(()))
        job_id = run.submit()
        run.attempt(job_id)
        control.cancel(unknowing, job_id)
        assert dispatch.publish_due(unknowing, "short") == 1
        assert run.row(job_id).status == "queued", "others may know it"

        left_alone_for_an_hour(run, job_id)
        assert dispatch.publish_due(run.runtime, "short") == 1
        assert run.row(job_id).status == "queued", "it is known here"

        left_alone_for_an_hour(run, job_id)
        assert dispatch.publish_due(unknowing, "short") == 1
        assert run.attempt(job_id).came is Came.NOTHING
    job = run.row(job_id)
    assert (job.status, job.failures, job.error and job.error["code"]) == (
        "failed",
        1,
        ErrorCode.UNDO_FAILED,
    )
    assert job.error
    assert job.error["details"]["cause"] == ErrorCode.JOB_CANCELLED
    assert NAME in job.error["message"]


def left_alone_for_an_hour(run: Trial, job_id: UUID) -> None:
    with run.runtime.sessions.begin() as session:
        session.execute(_AN_HOUR_LATER, {"id": job_id})


def run_out(run: Trial, job_id: UUID) -> Came:
    """Attempts until it ended."""
    came = run.attempt(job_id).came
    while run.row(job_id).finished_at is None:
        came = run.attempt(job_id).came
    return came


def test_effects_of_an_undone_step_are_done_again_under_a_new_key_and_others_are_not(
    platform: Platform,
) -> None:
    house, fails = House(), [1]

    def undo(ctx: JobContext, _: Any) -> None:
        house.do(ctx, "revoke")

    with trial(platform, ordering(house, fails), undo={"place": undo}) as run:
        job_id = run.submit()
        assert run_out(run, job_id) is Came.FAILED
        states = {step["name"]: step["status"] for step in run.document(job_id)["steps"]}
        control.retry(run.runtime, job_id)
        assert run_out(run, job_id) is Came.FAILED
        fails.clear()
        control.retry(run.runtime, job_id)
        assert run_out(run, job_id) is Came.COMPLETED

    undone = dict.fromkeys(("place", "address", "label", "order", "revoke"), "undone")
    assert states == undone | {"greeting": "completed"}
    keys = {name: len(set(keys)) for name, keys in house.calls.items()}
    assert keys == {"greeting": 1, "label": 3, "order": 3, "revoke": 2}
    assert run.document(job_id)["result"] == {"number": house.calls["order"][-1]}


def test_an_undo_that_is_tried_again_repeats_no_effect_of_its_own(platform: Platform) -> None:
    house, tries = House(), []

    def undo(ctx: JobContext, _: Any) -> None:
        house.do(ctx, "revoke")
        tries.append(ctx.attempt)
        if len(tries) == 1:
            raise ProviderUnavailable("busy")

    with trial(platform, ordering(house, [1]), undo={"place": undo}) as run:
        assert run_out(run, run.submit()) is Came.FAILED
    assert (len(tries), len(house.calls["revoke"])) == (2, 1)


def test_an_undoable_step_within_another_is_left_to_its_own_undo(platform: Platform) -> None:
    undone: list[str] = []

    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        def outer() -> None:
            ctx.step("inner", lambda: None)
            if ctx.attempt == 1:
                raise ProviderUnavailable("the outer one begins again, later than the inner one")

        ctx.step("outer", outer)
        raise JobFailed("no good")

    undo = {"outer": lambda *_: undone.append("outer"), "inner": lambda *_: undone.append("inner")}
    steps = (Step("outer", undo=True), Step("inner", undo=True))
    with trial(platform, handler, undo=undo, steps=steps) as run:
        run_out(run, run.submit())
    assert sorted(undone) == ["inner", "outer"]


def test_a_rollback_waits_for_children_that_still_run(platform: Platform) -> None:
    undone: list[str] = []

    def handler(ctx: JobContext, payload: dict[str, Any]) -> None:
        if payload["value"] == 1:
            ctx.step("service", lambda: None)
            ctx.submit_child(NAME, {"value": 2}, key="runs")
            raise JobFailed("no good")

    with trial(platform, handler, undo={"service": lambda *_: undone.append("service")}) as run:
        parent = run.submit()
        run.attempt(parent)
        child = children(run, parent)["runs"]
        claimed = run.claim(child)
        assert claimed
        families.cancel_abandoned(run.runtime)

        assert run.attempt(parent).came is Came.AGAIN
        assert (run.document(parent)["status"], undone) == ("waiting", [])
        assert families.tell_parents(run.runtime) == 0, "its progress is no longer its children's"
        run.runner.end_unstarted(claimed, lifecycle.cancelled())
        assert run.attempt(parent).came is Came.FAILED
    assert undone == ["service"]
    assert run.document(parent)["error"]["message"] == "no good"


def test_nothing_is_rolled_back_while_a_person_has_to_look_at_an_effect(
    platform: Platform,
) -> None:
    undone: list[str] = []

    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.step("service", lambda: None)
        if ctx.attempt == 1:
            raise JobFailed("Did it ring?", code=ErrorCode.EFFECT_UNCERTAIN)
        raise JobFailed("no good")

    with trial(platform, handler, undo={"service": lambda *_: undone.append("service")}) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.FAILED
        job = run.document(job_id)
        assert (job["status"], job["error"]["code"]) == ("failed", "EFFECT_UNCERTAIN")
        assert job["steps"][0]["status"] == "completed"

        with run.runtime.sessions.begin() as session:
            session.add(open_effect(job_id))
        resolve(run.runtime, job_id, Resolution("dial", happened=True))
        assert run_out(run, job_id) is Came.FAILED
    assert undone == ["service"]


def test_a_person_who_gives_an_uncertain_job_up_has_it_rolled_back(platform: Platform) -> None:
    undone: list[str] = []

    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.step("service", lambda: None)
        raise JobFailed("Did it ring?", code=ErrorCode.EFFECT_UNCERTAIN)

    with trial(platform, handler, undo={"service": lambda *_: undone.append("service")}) as run:
        job_id = run.submit()
        run.attempt(job_id)
        with run.runtime.sessions.begin() as session:
            session.add(open_effect(job_id))
        resolve(run.runtime, job_id, Resolution("dial", happened=False))
        control.cancel(run.runtime, job_id)
        assert run_out(run, job_id) is Came.CANCELLED
    assert undone == ["service"]


def open_effect(job_id: UUID) -> JobStep:
    state = StepState.INTENT.value
    return JobStep(job_id=job_id, step="dial", kind="effect", state=state, attempt=1)
