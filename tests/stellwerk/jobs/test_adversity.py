"""What must not happen: jobs that never end, are forgotten, or take others along."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from embedded import wait_until
from errors_of_postgres import stop_at_commit, stops
from stellwerk.bootstrap import Platform
from stellwerk.clock import rfc3339
from stellwerk.errors import Conflict, ErrorCode, ProviderRejected, ProviderUnavailable
from stellwerk.jobs import budget, control, dispatch
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.interruptions import HandedOver
from stellwerk.jobs.model import Job
from stellwerk.jobs.operation import RetryPolicy
from stellwerk.jobs.remains import JobCost
from stellwerk_workers import heartbeat
from stellwerk_workers.reports import Came
from trial import Trial, trial


def echo(_: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    return payload


def looks_in_vain(*_: Any) -> None:
    raise LookupError("no such row")


def breaks_a_rule(session: Session, *_: Any) -> None:
    session.execute(text("INSERT INTO queue_states (name) VALUES (NULL)"))


@pytest.mark.parametrize("broken", [looks_in_vain, breaks_a_rule])
def test_a_hook_that_fails_keeps_nobody_from_being_rescued_nor_its_own_job_from_its_end(
    platform: Platform, broken: Any
) -> None:
    with trial(platform, echo, on_end=broken) as run:
        ending, innocent = run.submit(), run.submit()
        for job_id in (ending, innocent):
            run.claim(job_id)
            expire(run, job_id)
        control.cancel(run.runtime, ending)

        rescued = {wakeup.job_id: status for wakeup, status in dispatch.rescue_expired(run.runtime)}
        assert rescued == {ending: "cancelled", innocent: "queued"}
        assert dispatch.rescue_expired(run.runtime) == []
    assert "on_end failed" in " ".join(line.message for line in run.logs(ending))


@pytest.mark.parametrize(
    ("code", "pause_s"),
    [("57014", 10), ("53100", 10), ("55P03", 10), ("40P01", 10), ("23505", 300)],
)
def test_an_end_that_cannot_be_stored_keeps_nobody_from_being_rescued(
    platform: Platform, code: str, pause_s: int
) -> None:
    def hook(session: Session, *_: Any) -> None:
        stop_at_commit(session, code)

    with trial(platform, echo, on_end=hook) as run:
        ending, innocent = run.submit(), run.submit()
        for job_id in (ending, innocent):
            run.claim(job_id)
            expire(run, job_id)
        control.cancel(run.runtime, ending)

        rescued = [wakeup.job_id for wakeup, _ in dispatch.rescue_expired(run.runtime)]
        assert rescued == [innocent]
        assert dispatch.rescue_expired(run.runtime) == []
        row = run.row(ending)
        assert row.status == "running"
        with run.runtime.sessions() as session:
            due_at = session.scalars(select(func.now() + timedelta(seconds=pause_s))).one()
        assert row.lease_until
        assert due_at - timedelta(seconds=pause_s) < row.lease_until <= due_at


def test_rescues_that_take_long_are_spread_over_several_sweeps(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hook(session: Session, *_: Any) -> None:
        session.execute(text("SELECT pg_sleep(0.1)"))

    # Used up by one slow hook: this suite lets sweeps take their time otherwise.
    monkeypatch.setattr(budget, "BUDGET_S", 0.1)
    with trial(platform, echo, on_end=hook) as run:
        for _ in range(2):
            job_id = run.submit()
            run.claim(job_id)
            expire(run, job_id)
            control.cancel(run.runtime, job_id)
        rescued = [len(dispatch.rescue_expired(run.runtime)) for _ in range(3)]
    assert rescued == [1, 1, 0]


@pytest.mark.parametrize(
    "leaves",
    [
        lambda ctx: ctx.wait_for("never", timeout_s=None),
        lambda _: raised(ProviderUnavailable("later", retry_after_s=3600)),
        lambda _: raised(HandedOver("draining")),
    ],
    ids=["waits", "retries", "hands over"],
)
def test_an_accepted_cancel_is_not_forgotten_however_the_attempt_ends(
    platform: Platform, leaves: Any
) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        control.cancel(run.runtime, ctx.job_id)
        leaves(ctx)

    with trial(platform, handler) as run:
        job_id = run.submit()
        assert run.attempt(job_id).came is Came.CANCELLED
    assert run.document(job_id)["status"] == "cancelled"


@pytest.mark.parametrize(
    "result", [{"text": "a\x00b"}, {"text": "\ud800"}, {"things": {1, 2}}], ids=repr
)
def test_a_result_that_cannot_be_stored_fails_the_job_and_says_so(
    platform: Platform, result: Any
) -> None:
    with trial(platform, lambda *_: result) as run:
        job_id = run.submit()
        for _ in range(3):
            run.attempt(job_id)
    job = run.document(job_id)
    assert (job["status"], job["error"]["code"]) == ("failed", "INTERNAL_ERROR")


@pytest.mark.parametrize(
    ("code", "failures", "status"),
    [
        ("57014", 1, "failed"),
        ("55P03", 1, "failed"),
        ("53100", 1, "failed"),
        ("57P03", 0, "queued"),
        ("53300", 0, "queued"),
    ],
)
def test_a_statement_that_is_stuck_is_a_failure_and_a_ledger_that_is_gone_is_not(
    platform: Platform, code: str, failures: int, status: str
) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        with ctx.transaction() as session:
            stops(code, session)

    with trial(platform, handler, retry=RetryPolicy(max_attempts=1)) as run:
        job_id = run.submit()
        run.attempt(job_id)
    job = run.row(job_id)
    assert (job.failures, job.status) == (failures, status)


@pytest.mark.parametrize("raises", [ProviderRejected("a\x00b"), RuntimeError("a\x00b")], ids=repr)
def test_an_error_whose_words_cannot_be_stored_ends_the_job_all_the_same(
    platform: Platform, raises: Exception
) -> None:
    with trial(platform, lambda *_: raised(raises)) as run:
        job_id = run.submit()
        for _ in range(3):
            run.attempt(job_id)
    assert run.document(job_id)["status"] == "failed"


def test_a_job_newer_than_this_worker_is_released_for_others(platform: Platform) -> None:
    with trial(platform, echo) as run:
        job_id = run.submit()
        with run.runtime.sessions.begin() as session:
            session.execute(update(Job).values(operation_version=2))

        assert run.attempt(job_id).came is Came.NOTHING
    job = run.row(job_id)
    assert (job.published_at, job.attempt, job.version) == (None, 0, 2)
    assert job.run_at > job.created_at
    shown = platform.live.read(job_id)
    assert shown
    assert orjson.loads(shown.document)["run_at"] == rfc3339(job.run_at)


def test_a_claim_whose_answer_was_lost_is_found_again(platform: Platform) -> None:
    with trial(platform, echo) as run:
        job_id = run.submit()
        first = run.claim(job_id)
        assert first
        assert run.claim(job_id, attempt=0, token=first.token) == first
        assert run.claim(job_id, attempt=0) is None


def test_a_cost_line_is_kept_once_however_often_it_is_sent(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        ctx.cost("openai", "token", Decimal(10), Decimal("0.001"))
        with ctx.transaction() as session:
            ctx.flush(session)
        ctx.step("next", lambda: None)

    with trial(platform, handler) as run:
        job_id = run.submit()
        run.attempt(job_id)
        with run.runtime.sessions() as session:
            assert session.scalar(select(func.count()).select_from(JobCost)) == 1


def test_a_log_line_may_be_written_within_a_transaction(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        with ctx.transaction():
            ctx.log("within")

    with trial(platform, handler) as run:
        assert run.attempt(run.submit()).came is Came.COMPLETED


def test_a_retry_whose_unique_key_is_taken_is_a_conflict(platform: Platform) -> None:
    with trial(platform, echo) as run:
        first = run.submit(unique_key="daily")
        control.cancel(run.runtime, first)
        run.submit(unique_key="daily")
        with pytest.raises(Conflict) as refused:
            control.retry(run.runtime, first)
    assert refused.value.code is ErrorCode.DUPLICATE_JOB


def test_a_crash_among_others_counts_against_nobody_and_the_job_runs_alone_next(
    platform: Platform,
) -> None:
    with trial(platform, echo) as run:
        job_id = run.submit()
        run.claim(job_id)
        expire(run, job_id)
        dispatch.rescue_expired(run.runtime)
    assert (run.row(job_id).crashes, run.row(job_id).queue) == (0, "long")


def test_what_became_of_a_job_is_told_in_its_log(platform: Platform) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        if ctx.attempt == 1:
            raise ProviderUnavailable("not yet")

    with trial(platform, handler) as run:
        job_id = run.submit()
        run.attempt(job_id)
        run.attempt(job_id)
        lines = [line.message for line in run.logs(job_id)]
    assert lines == ["failed, next attempt in 0.0 s: not yet", "completed"]


@pytest.mark.parametrize("listens", [True, False])
def test_a_step_longer_than_a_deploys_grace_is_handed_over_and_counts_as_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, *, listens: bool
) -> None:
    def handler(ctx: JobContext, _: dict[str, Any]) -> None:
        run.draining = True
        if listens:
            ctx.sleep(60)
        wait_until(lambda: run.row(ctx.job_id).status == "queued")

    # One who listens is given the time to, however slow the machine is.
    monkeypatch.setattr(heartbeat, "UNHEARD_S", 60.0 if listens else 0.1)
    settings = platform.settings.model_copy(update={"shutdown_grace_s": 0.5})
    with trial(platform, handler, settings=settings) as run:
        job_id = run.submit()
        came = run.attempt(job_id).came
    job = run.row(job_id)
    assert came is (Came.AGAIN if listens else Came.NOTHING)
    assert (job.status, job.failures, job.crashes) == ("queued", 0, 0)
    assert "handed over: its worker is stopping" in [line.message for line in run.logs(job_id)]


def raised(exc: BaseException) -> None:
    raise exc


def expire(run: Trial, job_id: UUID) -> None:
    """Let the lease run out."""
    past = func.now() - timedelta(minutes=5)
    with run.runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(lease_until=past))


@pytest.mark.parametrize(
    "refusal",
    [
        ProviderRejected("odd\x00", details={"said": ["a\x00b", {"\ud800": "\ud800"}]}),
        ProviderUnavailable("busy", retry_after_s=float("inf")),
    ],
    ids=["answers what Postgres cannot store", "asks to come back never"],
)
def test_whatever_a_provider_says_the_attempt_comes_to_its_end(
    platform: Platform, refusal: Exception
) -> None:
    with trial(platform, lambda *_: raised(refusal)) as run:
        job_id = run.submit()
        run.attempt(job_id)
    assert run.row(job_id).status in {"failed", "queued"}
