"""Families of jobs with effects and rollbacks under random interleavings.

Workers die before and after a call to the outside world, also while they roll back; between come
cancels, retries, resolutions, and dispatchers early or late. Attempts are those of the real runner.
Hypothesis chooses the steps; after each, what is promised about effects, children and rollbacks
must hold, and at the end of every run everything that was accepted ends.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, text

from stellwerk.bootstrap import Platform
from stellwerk.errors import Conflict, JobFailed
from stellwerk.jobs import control, dispatch, families
from stellwerk.jobs.awaited import Awaited
from stellwerk.jobs.children import ChildFailure
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.effects import Effect, Probed, Repeat
from stellwerk.jobs.model import Job, JobStep
from stellwerk.jobs.resolution import Resolution, resolve
from stellwerk.jobs.states import JobStatus
from trial import NAME, Trial, trial

ROUNDS = 40
CALL_TIMEOUT_S = 0.5
STEP, ORDER, GREETING, REVOKE = "made", "order", "greeting", "revoke"

_LET_TIME_PASS = (
    text("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE status = 'running'"),
    text("UPDATE jobs SET run_at = now() WHERE status = 'queued' AND run_at > now()"),
    text("UPDATE job_steps SET started_at = started_at - interval '1 hour'"),
)

pick = st.integers(0, 10_000)
deaths = st.sampled_from(["", "", "before", "after"])


class Died(BaseException):
    """The worker's process is gone."""


@dataclass(slots=True)
class World:
    """The outside: how often it was called with each key, and when a caller dies next."""

    calls: Counter[str] = field(default_factory=Counter)
    dies: str = ""

    def call(self, key: str) -> str:
        dies, self.dies = self.dies, ""
        if dies == "before":
            raise Died
        self.calls[key] += 1
        if dies == "after":
            raise Died
        return key

    def probe(self, key: str) -> tuple[Probed, Any]:
        return (Probed.HAPPENED, key) if self.calls[key] else (Probed.NOT_HAPPENED, None)


class Families(RuleBasedStateMachine):
    """One ledger, one worker that dies now and then, and the outside world."""

    run: ClassVar[Trial]
    present: ClassVar["Families"]

    def __init__(self) -> None:
        super().__init__()
        with self.run.runtime.sessions.begin() as session:
            session.execute(text("TRUNCATE jobs CASCADE"))
        Families.present = self
        self.world = World()
        self.rows: list[Job] = []  # as they were after the last step
        self.steps: dict[UUID, list[JobStep]] = {}  # of each of them
        self.completed: dict[UUID, int] = {}  # with their versions
        self.early_undos = 0

    # What handlers do

    def handle(self, ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        plan = payload["value"]
        ctx.step(STEP, lambda: self.do(ctx, ORDER, plan["repeat"]))
        for number in range(plan["children"]):
            ctx.submit_child(NAME, {"value": {**plan, "children": 0}}, key=str(number))
        ctx.wait_children(failure=ChildFailure(plan["failure"]))
        self.do(ctx, GREETING, plan["repeat"])
        if plan["fails"]:
            raise JobFailed("as asked")
        return {}

    def undo(self, ctx: JobContext, _: Any) -> None:
        with ctx.runtime.sessions() as session:
            live = not Awaited(None, fails_fast=False).is_over(session, ctx.job_id)
        self.early_undos += live
        self.do(ctx, REVOKE, Repeat.IDEMPOTENT)

    def do(self, ctx: JobContext, name: str, repeat: str) -> Any:
        effect = Effect(
            name, self.world.call, Repeat(repeat), CALL_TIMEOUT_S, probe=self.world.probe
        )
        return ctx.effect(effect)

    # What clients do

    @rule(
        children=st.integers(0, 2),
        repeat=st.sampled_from(list(Repeat)),
        failure=st.sampled_from(list(ChildFailure)),
        fails=st.booleans(),
    )
    def submit(self, children: int, repeat: Repeat, failure: ChildFailure, *, fails: bool) -> None:
        plan = {"children": children, "repeat": repeat, "failure": failure, "fails": fails}
        self.run.submit(value=plan)

    @precondition(lambda self: self.rows)
    @rule(which=pick, goes_on=st.booleans())
    def cancel(self, which: int, *, goes_on: bool) -> None:
        """`goes_on`: its rollback begins before a dispatcher has cancelled its children."""
        job = self.one(which)
        try:
            control.cancel(self.run.runtime, job.id)
        except Conflict:
            assert job.finished_at
        if goes_on:
            self.run.attempt(job.id)

    @precondition(lambda self: self.rows)
    @rule(which=pick)
    def retry(self, which: int) -> None:
        job = self.one(which)
        with suppress(Conflict):
            control.retry(self.run.runtime, job.id)
            assert job.status in {"failed", "cancelled"}

    @precondition(lambda self: self.open_effects())
    @rule(which=pick)
    def resolve(self, which: int) -> None:
        """Somebody finds out what became of an effect."""
        effects = self.open_effects()
        effect = effects[which % len(effects)]
        key = Effect(effect.step, str, Repeat.BLIND, 1).idempotency_key(
            effect.job_id, effect.generation
        )
        found = Resolution(effect.step, happened=bool(self.world.calls[key]), output=key)
        with suppress(Conflict):
            resolve(self.run.runtime, effect.job_id, found)

    # What workers, dispatchers and the weather do

    @precondition(lambda self: self.rows)
    @rule(which=pick, dies=deaths)
    def attempt(self, which: int, dies: str) -> None:
        self.world.dies = dies
        with suppress(Died):
            self.run.attempt(self.one(which).id)
        self.world.dies = ""

    @precondition(lambda self: self.rows)
    @rule(which=pick, dies=st.sampled_from(["before", "after"]))
    def lose_a_worker(self, which: int, dies: str) -> None:
        """During its next call to the outside world, and for long enough to be noticed."""
        self.attempt(which, dies)
        self.let_time_pass()
        self.rescue()
        self.let_time_pass()

    @rule()
    def let_time_pass(self) -> None:
        with self.run.runtime.sessions.begin() as session:
            for statement in _LET_TIME_PASS:
                session.execute(statement)

    @rule()
    def rescue(self) -> None:
        dispatch.rescue_expired(self.run.runtime)

    @rule()
    def cancel_abandoned(self) -> None:
        families.cancel_abandoned(self.run.runtime)

    # What always holds

    @invariant()
    def what_is_promised_is_so(self) -> None:
        self.look()
        self.nothing_is_rolled_back_under_children_that_live()
        self.nothing_is_silently_done_twice()
        self.what_completed_was_done_and_stays()
        self.what_was_ended_otherwise_is_rolled_back()

    def nothing_is_rolled_back_under_children_that_live(self) -> None:
        assert not self.early_undos

    def nothing_is_silently_done_twice(self) -> None:
        """Only a provider that refuses a key twice is called with it again."""
        for job in self.rows:
            if job.payload["value"]["repeat"] != Repeat.IDEMPOTENT:
                names = (ORDER, GREETING)
                assert all(self.world.calls[key] <= 1 for key in keys_of(job.id, names))

    def what_completed_was_done_and_stays(self) -> None:
        for job in self.rows:
            if job.id in self.completed:
                assert (job.status, job.version) == ("completed", self.completed[job.id])
            if job.status == JobStatus.COMPLETED and job.id not in self.completed:
                self.completed[job.id] = job.version
                done = {step.step for step in self.steps[job.id] if step.state == "done"}
                assert {STEP, ORDER, GREETING} <= done
                self.ensure_children_allow_it(job)

    def what_was_ended_otherwise_is_rolled_back(self) -> None:
        for job in self.rows:
            code = (job.error or {}).get("code")
            if job.status in {"failed", "cancelled"} and code not in {
                "EFFECT_UNCERTAIN",
                "UNDO_FAILED",
            }:
                assert {step.state for step in self.steps[job.id] if step.step == STEP} <= {
                    "undone"
                }

    def ensure_children_allow_it(self, job: Job) -> None:
        children = [child for child in self.rows if child.parent_id == job.id]
        assert all(child.finished_at for child in children)
        if job.payload["value"]["failure"] != ChildFailure.IGNORE:
            assert {child.status for child in children} <= {"completed"}

    def teardown(self) -> None:
        """However it stands: once nobody dies any more, everything ends."""
        for _ in range(ROUNDS):
            self.look()
            live = [job for job in self.rows if job.finished_at is None]
            if not live:
                break
            self.let_time_pass()
            self.rescue()
            self.cancel_abandoned()
            for job in live:
                self.run.attempt(job.id)
        assert not live, [(job.status, job.message, job.ending) for job in live]
        self.what_is_promised_is_so()

    # How

    def look(self) -> None:
        """At the ledger, once after each step: nothing changes until the next."""
        with self.run.runtime.sessions() as session:
            self.rows = list(session.scalars(select(Job).order_by(Job.id)))
            self.steps = {job.id: [] for job in self.rows}
            for step in session.scalars(select(JobStep).order_by(JobStep.started_at)):
                self.steps[step.job_id].append(step)

    def one(self, which: int) -> Job:
        return self.rows[which % len(self.rows)]

    def open_effects(self) -> list[JobStep]:
        """Those of failed jobs of which nobody can tell whether they happened."""
        return [
            step
            for job in self.rows
            for step in self.steps[job.id]
            if (job.status, step.kind, step.state) == ("failed", "effect", "intent")
        ]


@cache
def keys_of(job_id: UUID, names: tuple[str, ...]) -> list[str]:
    """The keys of a job's effects, as often as it may have been rolled back."""
    effects = [Effect(name, str, Repeat.BLIND, 1) for name in names]
    return [one.idempotency_key(job_id, again) for one in effects for again in range(20)]


def test_whatever_becomes_of_families_the_promises_about_the_outside_hold(
    platform: Platform,
) -> None:
    def handler(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        return Families.present.handle(ctx, payload)

    def undo(ctx: JobContext, output: Any) -> None:
        Families.present.undo(ctx, output)

    with trial(platform, handler, undo={STEP: undo}) as run:
        Families.run = run
        run_state_machine_as_test(
            Families,
            settings=settings(
                max_examples=12,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
