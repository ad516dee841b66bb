import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from stellwerk.bootstrap import Platform
from stellwerk.errors import ProviderDeferred, ProviderRejected
from stellwerk.jobs import dispatch, effects
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.effects import LATE_PAUSE_S, LATE_ROUNDS, Effect, Probed, Repeat
from stellwerk.jobs.interruptions import HandedOver
from stellwerk.jobs.model import Job, JobStep
from stellwerk.jobs.ports import Change, Event
from stellwerk_workers.reports import Came
from trial import Trial, trial

PROMPT_S = 0.1  # where the ledger is to be slow
CALL_TIMEOUT_S = 60.0  # longer than a busy machine stands still: a call may be under way till then


class Vanished(BaseException):
    """Stands for a worker that is killed: nothing of the attempt is recorded after it."""


class Outside:
    """The world, which counts what was done to it."""

    def __init__(self) -> None:
        self.done = 0

    def do(self) -> int:
        self.done += 1
        return self.done


def dialling(
    outside: Outside, repeat: Repeat, *, crash: str, probe: Callable[[str], Any] | None = None
) -> Callable[[JobContext, dict[str, Any]], dict[str, Any]]:
    def call(ctx: JobContext) -> int:
        if crash == "before_effect" and ctx.attempt == 1:
            raise Vanished
        number = outside.do()
        if crash == "after_effect" and ctx.attempt == 1:
            raise Vanished
        return number

    def handler(ctx: JobContext, _: dict[str, Any]) -> dict[str, Any]:
        effect = Effect("dial", lambda _: call(ctx), repeat, CALL_TIMEOUT_S, probe=probe)
        return {"number": ctx.effect(effect)}

    return handler


def crash_then_run_again(run: Trial) -> Any:
    job_id = run.submit()
    with pytest.raises(Vanished):
        run.attempt(job_id)
    _expire(run, job_id)
    assert len(dispatch.rescue_expired(run.runtime)) == 1
    assert run.attempt(job_id).came is Came.AGAIN, "the earlier call may still be under way"
    _let_call_end(run, job_id)
    run.attempt(job_id)
    return run.document(job_id)


def test_an_effect_is_not_done_again_once_its_outcome_is_stored(platform: Platform) -> None:
    outside = Outside()
    with trial(platform, dialling(outside, Repeat.BLIND, crash="never")) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.COMPLETED
    assert outside.done == 1


@pytest.mark.parametrize("crash", ["before_effect", "after_effect"])
def test_a_blind_effect_whose_worker_vanished_is_reported_as_uncertain(
    platform: Platform, crash: str
) -> None:
    outside = Outside()
    with trial(platform, dialling(outside, Repeat.BLIND, crash=crash)) as run:
        job = crash_then_run_again(run)

    assert (job["status"], job["error"]["code"]) == ("failed", "EFFECT_UNCERTAIN")
    assert outside.done <= 1


def test_an_idempotent_effect_is_called_again_with_the_same_key(platform: Platform) -> None:
    outside = Outside()
    handler = dialling(outside, Repeat.IDEMPOTENT, crash="after_effect")
    with trial(platform, handler) as run:
        job = crash_then_run_again(run)
    assert job["status"] == "completed"


@pytest.mark.parametrize(
    ("crash", "answer", "status"),
    [
        ("before_effect", (Probed.NOT_HAPPENED, None), "completed"),
        ("after_effect", (Probed.HAPPENED, 1), "completed"),
        ("after_effect", (Probed.UNKNOWN, None), "failed"),
    ],
)
def test_a_probed_effect_happens_once_or_is_uncertain(
    platform: Platform, crash: str, answer: tuple[Probed, Any], status: str
) -> None:
    outside = Outside()
    handler = dialling(outside, Repeat.PROBE, crash=crash, probe=lambda _: answer)
    with trial(platform, handler) as run:
        job = crash_then_run_again(run)

    assert job["status"] == status
    assert outside.done == 1


def test_an_attempt_that_is_stopped_before_its_call_leaves_no_doubt_behind(
    platform: Platform,
) -> None:
    """Its stop comes while the intent is being shown, that is after it was stored."""
    outside = Outside()

    def handler(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        board.ctx = ctx if ctx.attempt == 1 else None
        return dialling(outside, Repeat.BLIND, crash="never")(ctx, payload)

    board = StoppingBoard()
    stopping = replace(platform, runtime=replace(platform.runtime, board=board))
    with trial(stopping, handler) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.AGAIN
        assert (outside.done, run.document(job_id)["steps"][0]["status"]) == (0, "undone")
        assert run.attempt(job_id).came is Came.COMPLETED
    assert outside.done == 1


def test_an_effect_on_a_slow_ledger_is_put_off_ever_longer_and_counts_at_last(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside, board = Outside(), SlowBoard()
    patient_s = effects.PROMPT_S
    monkeypatch.setattr(effects, "PROMPT_S", PROMPT_S)
    slow = replace(platform, runtime=replace(platform.runtime, board=board))
    with trial(slow, dialling(outside, Repeat.BLIND, crash="never")) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.AGAIN
        job = run.row(job_id)
        with run.runtime.sessions() as session:
            step = session.scalars(select(JobStep)).one()
        assert (job.failures, step.state, step.output) == (0, "undone", {"late_rounds": 1})
        assert step.finished_at
        assert job.run_at > step.finished_at + timedelta(seconds=LATE_PAUSE_S)

        _let_rounds_pass(run, job_id, LATE_ROUNDS - 1)
        assert run.attempt(job_id).came is Came.AGAIN
        assert run.row(job_id).failures == 1

        board.is_slow = False
        monkeypatch.setattr(effects, "PROMPT_S", patient_s)
        _let_rounds_pass(run, job_id, 0)
        assert run.attempt(job_id).came is Came.COMPLETED
    assert outside.done == 1


def test_calls_and_probes_are_given_one_key_in_every_attempt(platform: Platform) -> None:
    seen = []

    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        def call(key: str) -> None:
            seen.append(key)
            if ctx.attempt == 1:
                raise Vanished

        def probe(key: str) -> tuple[Probed, Any]:
            seen.append(key)
            return Probed.NOT_HAPPENED, None

        ctx.effect(Effect("dial", call, Repeat.PROBE, CALL_TIMEOUT_S, key="a", probe=probe))

    with trial(platform, handler) as run:
        job = crash_then_run_again(run)
    assert len(seen) == 3
    assert set(seen) == {seen[0]}
    assert seen[0].startswith(job["job_id"])


class Board:
    """Shows nothing."""

    def show(self, changes: Sequence[Change]) -> bool:
        del changes
        return True

    def emit(self, event: Event, owner_id: int | None) -> None:
        pass

    def keep(self, job_ids: Sequence[UUID]) -> None:
        pass

    def forget(self, job_ids: Sequence[UUID]) -> bool:
        del job_ids
        return True


@dataclass(slots=True)
class StoppingBoard(Board):
    """Tells an attempt to stop as soon as anything of it is shown."""

    ctx: JobContext | None = None

    def show(self, changes: Sequence[Change]) -> bool:
        if self.ctx and changes:
            self.ctx.stop(HandedOver)
        return True


@dataclass(slots=True)
class SlowBoard(Board):
    """Takes longer to show an intent than may pass from there to the call."""

    is_slow: bool = True

    def show(self, changes: Sequence[Change]) -> bool:
        states = {step["status"] for change in changes for step in change.document["steps"]}
        if self.is_slow and "running" in states:
            threading.Event().wait(2 * PROMPT_S)
        return True


def test_a_refused_effect_leaves_no_doubt_behind(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        def refuse(_: str) -> None:
            raise ProviderRejected("no such number")

        ctx.effect(Effect("dial", refuse, Repeat.BLIND, call_timeout_s=1))

    with trial(platform, handler) as run:
        job_id = run.submit()
        run.attempt(job_id)

    job = run.document(job_id)
    assert job["error"]["code"] == "PROVIDER_REJECTED"
    assert [step["status"] for step in job["steps"]] == ["undone"]


def test_an_effect_that_was_put_off_is_tried_again_without_a_doubt(platform: Platform) -> None:
    outside = Outside()

    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        def call(_: str) -> int:
            if ctx.attempt == 1:
                raise ProviderDeferred("the line is busy")
            return outside.do()

        ctx.effect(Effect("dial", call, Repeat.BLIND, call_timeout_s=1))

    with trial(platform, handler) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.AGAIN
        job = run.document(job_id)
        assert [step["status"] for step in job["steps"]] == ["undone"]
        assert job["error"]["code"] == "PROVIDER_UNAVAILABLE"
        assert run.attempt(job_id).came is Came.COMPLETED
    assert outside.done == 1


def _expire(run: Trial, job_id: Any) -> None:
    with run.runtime.sessions.begin() as session:
        session.execute(
            update(Job)
            .where(Job.id == job_id)
            .values(lease_until=Job.lease_until - timedelta(minutes=5))
        )


def _let_rounds_pass(run: Trial, job_id: Any, rounds: int) -> None:
    """As if the effect had been put off so often, and it were time again."""
    with run.runtime.sessions.begin() as session:
        session.execute(update(JobStep).values(output={"late_rounds": rounds}))
        session.execute(update(Job).where(Job.id == job_id).values(run_at=Job.created_at))


def _let_call_end(run: Trial, job_id: Any) -> None:
    with run.runtime.sessions.begin() as session:
        session.execute(
            update(JobStep)
            .where(JobStep.job_id == job_id)
            .values(started_at=JobStep.started_at - timedelta(minutes=5))
        )
        session.execute(
            update(Job).where(Job.id == job_id).values(run_at=Job.run_at - timedelta(minutes=5))
        )
