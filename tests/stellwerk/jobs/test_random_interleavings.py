"""The engine under random interleavings: wake-ups that come twice, late, never or in lists, workers
that vanish and come back or give back what they had not begun, queues that are paused, a limit on
how many run, and cancels, retries and signals in between. Attempts end by either writer.

Hypothesis chooses the steps; after each, what the ledger promises must hold, and at the end of
every run everything that was accepted ends.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from stellwerk.bootstrap import Platform
from stellwerk.diagnostics.operations import ECHO, SLEEP
from stellwerk.errors import Conflict
from stellwerk.jobs import (
    claims,
    control,
    dispatch,
    lifecycle,
    outcomes,
    queries,
    queue_states,
    suspension,
)
from stellwerk.jobs.claims import Claim
from stellwerk.jobs.interruptions import Cancelled, LeaseLost, Suspended
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import Registry
from stellwerk.jobs.outcomes import Ended
from stellwerk.jobs.ports import Board, Change, Wakeup
from stellwerk.jobs.runtime import Runtime, unit
from stellwerk.jobs.states import TERMINAL, JobStatus
from stellwerk.jobs.submission import Submission, submit

QUEUES = ("short", "long")
SIGNAL = "go"
DONE = Outcome(JobStatus.COMPLETED, result={"ok": True})
FAILED = Outcome(JobStatus.FAILED, error=lifecycle.failure("JOB_FAILED", "no", retryable=False))
ERROR = lifecycle.failure("PROVIDER_UNAVAILABLE", "later", retryable=True)
ROUNDS = 60
MAX_RUNNING = 2
LIMITED, LISTED = replace(SLEEP, max_running=MAX_RUNNING), ECHO

_EXPIRE = text("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = :id")
_MAKE_DUE = text("UPDATE jobs SET run_at = now() WHERE status = 'queued'")
_LOSE_WAKE_UPS = text("""
    UPDATE jobs SET published_at = now() - interval '1 hour'
    WHERE status = 'queued' AND published_at IS NOT NULL
""")

pick = st.integers(0, 10_000)


class Post:
    """Keeps every wake-up ever sent, and shows changes on the real board."""

    def __init__(self, board: Board) -> None:
        self.sent: list[Wakeup] = []
        self._board = board

    def publish(self, wakeups: Sequence[Wakeup]) -> None:
        self.sent += wakeups

    def announce(self, changes: Sequence[Change], wakeups: Sequence[Wakeup]) -> None:
        self._board.show(changes)
        self.publish(wakeups)

    def is_paused(self) -> bool:
        return False


class Engine(RuleBasedStateMachine):
    """One ledger, one board, any number of workers that stopped between claim and outcome."""

    platform: Platform

    def __init__(self) -> None:
        super().__init__()
        self.platform.live_client.redis.flushdb()
        with self.platform.engine.begin() as connection:
            connection.execute(text("TRUNCATE jobs, queue_states CASCADE"))
        self.post = Post(self.platform.runtime.board)
        registry = Registry((LISTED, LIMITED))
        self.runtime: Runtime = replace(
            self.platform.runtime, publisher=self.post, registry=registry
        )
        self.accepted: list[UUID] = []
        self.claims: list[Claim] = []
        self.seen: dict[UUID, tuple[int, int, str]] = {}
        self.effects: dict[UUID, int] = {}  # outcomes that were accepted since the last retry
        self.retried: set[UUID] = set()
        self.handed_back: set[UUID] = set()  # since the last look: their attempts did not happen
        self.paused: set[str] = set()

    # What clients do

    @rule(operation=st.sampled_from(["diagnostics.echo", "diagnostics.sleep"]))
    def submit(self, operation: str) -> None:
        self.accepted.append(submit(self.runtime, Submission(operation, {}, owner_id=None)))

    @precondition(lambda self: self.accepted)
    @rule(which=pick)
    def cancel(self, which: int) -> None:
        job_id = self._job(which)
        was_over = self._row(job_id).finished_at is not None
        try:
            control.cancel(self.runtime, job_id)
        except Conflict:
            assert was_over
        else:
            assert not was_over

    @precondition(lambda self: self.accepted)
    @rule(which=pick)
    def retry(self, which: int) -> None:
        job_id = self._job(which)
        status = self._row(job_id).status
        try:
            control.retry(self.runtime, job_id)
        except Conflict:
            assert status not in {"failed", "cancelled"}
        else:
            assert status in {"failed", "cancelled"}
            self.retried.add(job_id)
            self.effects.pop(job_id, None)

    @precondition(lambda self: self.accepted)
    @rule(which=pick)
    def signal(self, which: int) -> None:
        job_id = self._job(which)
        was_over = self._row(job_id).finished_at is not None
        try:
            control.signal(self.runtime, job_id, SIGNAL)
        except Conflict:
            assert was_over

    # What workers do

    @precondition(lambda self: self.post.sent)
    @rule(which=pick)
    def deliver(self, which: int) -> None:
        """Any wake-up ever sent comes (again)."""
        self._claim(self.post.sent[which % len(self.post.sent)])

    @precondition(lambda self: self.post.sent)
    @rule(which=pick, number=st.integers(1, 5))
    def deliver_list(self, which: int, number: int) -> None:
        """Any of the wake-ups for which there are lists come together, some of them twice."""
        sent = [wakeup for wakeup in self.post.sent if wakeup.operation == LISTED.name]
        first = which % len(sent) if sent else 0
        together = sent[first : first + number]
        if together:
            self.claims += claims.claim_many(self.runtime, LISTED, together, "worker", uuid4())

    @precondition(lambda self: self.claims)
    @rule(which=pick)
    def hand_back(self, which: int) -> None:
        """A worker gives back what it has not begun of the claims of one token."""
        token = self._held(which).token
        unstarted = [claimed for claimed in self.claims if claimed.token == token]
        rows = {claimed.job_id: self._row(claimed.job_id) for claimed in unstarted}
        free = {
            job_id
            for job_id, row in rows.items()
            if row.lease_token == token and not row.finished_at and not row.cancel_requested_at
        }
        assert claims.hand_back(self.runtime, unstarted) == free
        self.handed_back |= free

    @precondition(lambda self: self.claims)
    @rule(which=pick, outcome=st.sampled_from([DONE, FAILED]), alone=st.booleans())
    def finish(self, which: int, outcome: Outcome, *, alone: bool) -> None:
        """By the transaction that any end can take, or by the statement for plain ones."""
        claimed = self._held(which)
        if alone and self._write(
            claimed, lambda work: lifecycle.finish(self.runtime, work, claimed, outcome)
        ):
            self._count_end(claimed.job_id)
        if not alone:
            self._finish_together([claimed], outcome)

    @precondition(lambda self: self.claims)
    @rule(outcome=st.sampled_from([DONE, FAILED]))
    def finish_all(self, outcome: Outcome) -> None:
        """Everything that any worker ever held, in one statement."""
        self._finish_together(self.claims, outcome)

    @precondition(lambda self: self.claims)
    @rule(which=pick)
    def fail_for_now(self, which: int) -> None:
        claimed = self._held(which)
        self._write(
            claimed, lambda work: lifecycle.retry_later(work, claimed, error=ERROR, delay_s=0)
        )

    @precondition(lambda self: self.claims)
    @rule(which=pick)
    def hand_over(self, which: int) -> None:
        claimed = self._held(which)
        self._write(claimed, lambda work: lifecycle.hand_over(work, claimed, reason="stopping"))

    @precondition(lambda self: self.claims)
    @rule(which=pick)
    def suspend(self, which: int) -> None:
        claimed = self._held(which)
        wait = Suspended(SIGNAL, None)
        self._write(claimed, lambda work: suspension.suspend(work, claimed, wait))

    @precondition(lambda self: self.claims)
    @rule(which=pick)
    def vanish(self, which: int) -> None:
        """A worker stops renewing its lease, and may come back at any time."""
        with self.runtime.sessions.begin() as session:
            session.execute(_EXPIRE, {"id": self._held(which).job_id})

    # What the dispatcher and the weather do

    @rule()
    def dispatch(self) -> None:
        self._dispatch()

    @rule()
    def rescue(self) -> None:
        dispatch.rescue_expired(self.runtime)

    @rule(queue=st.sampled_from(QUEUES))
    def pause(self, queue: str) -> None:
        queue_states.pause(self.runtime, queue, None)
        self.paused.add(queue)

    @rule(queue=st.sampled_from(QUEUES))
    def resume(self, queue: str) -> None:
        queue_states.resume(self.runtime, queue, None)
        self.paused.discard(queue)

    @rule()
    def lose_wake_ups(self) -> None:
        with self.runtime.sessions.begin() as session:
            session.execute(_LOSE_WAKE_UPS)

    @rule()
    def lose_redis(self) -> None:
        self.platform.live_client.redis.flushdb()
        dispatch.forget_published(self.runtime)

    # What always holds

    @invariant()
    def what_the_ledger_promises_is_so(self) -> None:
        rows = self._rows()
        self.versions_and_attempts_only_grow(rows)
        self.what_has_ended_stays_as_it_is(rows)
        self.only_one_attempt_ends_a_job()
        self.no_more_run_than_may(rows)
        assert {job.id for job in rows} == set(self.accepted), "nothing is lost"

    def versions_and_attempts_only_grow(self, rows: Sequence[Job]) -> None:
        for job in rows:
            version, attempt, _ = self.seen.get(job.id, (0, 0, ""))
            assert job.version >= version
            assert job.attempt >= attempt - (job.id in self.handed_back)

    def what_has_ended_stays_as_it_is(self, rows: Sequence[Job]) -> None:
        for job in rows:
            version, _, status = self.seen.get(job.id, (0, 0, ""))
            if status in TERMINAL and job.id not in self.retried:
                assert (job.version, job.status) == (version, status)
            self.seen[job.id] = (job.version, job.attempt, job.status)
        self.retried.clear()
        self.handed_back.clear()

    def only_one_attempt_ends_a_job(self) -> None:
        assert all(count == 1 for count in self.effects.values())

    def no_more_run_than_may(self, rows: Sequence[Job]) -> None:
        running = [job for job in rows if job.status == JobStatus.RUNNING]
        assert sum(job.operation == LIMITED.name for job in running) <= MAX_RUNNING

    @invariant()
    def clients_see_what_the_ledger_has(self) -> None:
        """What is shown is of an older version, or the very document that the ledger gives."""
        with self.runtime.sessions() as session:
            changes = queries.changes(session, self.runtime.registry, self.accepted)
        for change in changes:
            shown = self.platform.live.read(change.job_id)
            if shown is None:
                continue
            assert shown.version <= change.version
            if shown.version == change.version:
                assert _settled(json.loads(shown.document)) == _settled(change.document)

    def teardown(self) -> None:
        """However it stands: once the weather is fine, everything ends."""
        for queue in QUEUES:
            queue_states.resume(self.runtime, queue, None)
        self.paused.clear()
        for _ in range(ROUNDS):
            live = [job for job in self._rows() if job.finished_at is None]
            if not live:
                return
            for job in live:
                self._help_along(job)
        raise AssertionError([(job.status, job.message) for job in live])

    # How

    def _help_along(self, job: Job) -> None:
        with self.runtime.sessions.begin() as session:
            session.execute(_MAKE_DUE)
            session.execute(_LOSE_WAKE_UPS)
            session.execute(_EXPIRE, {"id": job.id})
        if job.status == JobStatus.WAITING:
            control.signal(self.runtime, job.id, SIGNAL)
        dispatch.rescue_expired(self.runtime)
        sent = len(self.post.sent)
        self._dispatch()
        for wakeup in self.post.sent[sent:]:
            claimed = self._claim(wakeup)
            if claimed:
                self._write(
                    claimed,
                    lambda work, held=claimed: lifecycle.finish(self.runtime, work, held, DONE),
                )

    def _dispatch(self) -> None:
        for queue in QUEUES:
            dispatch.publish_due(self.runtime, queue)

    def _claim(self, wakeup: Wakeup) -> Claim | None:
        claimed = claims.claim(self.runtime, wakeup, "worker", uuid4())
        if claimed:
            assert claimed.queue not in self.paused
            self.claims.append(claimed)
        return claimed

    def _finish_together(self, ending: Sequence[Claim], outcome: Outcome) -> None:
        """Exactly those whose claim stands are ended."""
        rows = {claimed.job_id: self._row(claimed.job_id) for claimed in ending}
        stand = [claimed for claimed in ending if _stands(rows[claimed.job_id], claimed)]
        ended = outcomes.finish(
            self.runtime, [Ended(claimed, outcome, "ended", 0.0) for claimed in ending]
        )
        assert ended == {claimed.job_id for claimed in stand}
        for job_id in ended:
            self._count_end(job_id)

    def _count_end(self, job_id: UUID) -> None:
        self.effects[job_id] = self.effects.get(job_id, 0) + 1

    def _write(self, claimed: Claim, change: Any) -> bool:
        """Whether the attempt's write was taken; only the present attempt's may be."""
        row = self._row(claimed.job_id)
        is_present = _stands(row, claimed)
        try:
            with unit(self.runtime) as work:
                change(work)
        except LeaseLost:
            assert not is_present
            return False
        except Cancelled:
            assert row.cancel_requested_at
            return False
        assert is_present
        return True

    def _job(self, which: int) -> UUID:
        return self.accepted[which % len(self.accepted)]

    def _held(self, which: int) -> Claim:
        return self.claims[which % len(self.claims)]

    def _row(self, job_id: UUID) -> Job:
        with self.runtime.sessions() as session:
            return session.get_one(Job, job_id)

    def _rows(self) -> list[Job]:
        with self.runtime.sessions() as session:
            return list(session.query(Job))


def _stands(row: Job, claimed: Claim) -> bool:
    """Whether it is this claim that may write."""
    return row.lease_token == claimed.token and row.finished_at is None


def _settled(document: dict[str, Any]) -> dict[str, Any]:
    """Without what moves within a version."""
    return {name: value for name, value in document.items() if name != "estimated_completion_at"}


def test_whatever_happens_in_whatever_order_the_promises_hold(platform: Platform) -> None:
    Engine.platform = platform
    run_state_machine_as_test(
        Engine,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
