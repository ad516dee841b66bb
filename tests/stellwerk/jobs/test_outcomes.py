"""Attempts that end in one statement: fenced, once, and only where nothing else belongs to it."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from stellwerk.bootstrap import Platform
from stellwerk.jobs import outcomes
from stellwerk.jobs.claims import Claim, claim_many
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.outcomes import Ended
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.states import JobStatus
from trial import NAME, Trial, trial


def nothing(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Never called: the tests end the attempts themselves."""


def claimed(run: Trial, number: int) -> list[Claim]:
    """That many jobs, claimed together."""
    wakeups = [Wakeup(run.submit(), 0, NAME, "short") for _ in range(number)]
    operation = run.runtime.registry.get(NAME)
    return claim_many(run.runtime, operation, wakeups, "trial", uuid4())


def completed(claim: Claim) -> Ended:
    return Ended(claim, Outcome(JobStatus.COMPLETED, result={"n": 1}), "completed", 0.25)


def test_many_jobs_are_claimed_and_ended_together(platform: Platform) -> None:
    with trial(platform, nothing) as run:
        claims = claimed(run, 3)
        ended = outcomes.finish(run.runtime, [completed(claim) for claim in claims])

        assert ended == {claim.job_id for claim in claims}
        for claim in claims:
            document = run.document(claim.job_id)
            assert (document["status"], document["result"]) == ("completed", {"n": 1})
            assert (document["progress"], document["attempt"]) == (100, 1)
            assert [line.message for line in run.logs(claim.job_id)] == ["completed"]
            shown = platform.live.read(claim.job_id)
            assert shown
            assert shown.version == run.row(claim.job_id).version


def test_a_job_is_ended_once_and_only_by_the_attempt_that_holds_it(platform: Platform) -> None:
    with trial(platform, nothing) as run:
        (claim,) = claimed(run, 1)
        stranger = replace(claim, token=uuid4())

        assert outcomes.finish(run.runtime, [completed(stranger)]) == set()
        assert outcomes.finish(run.runtime, [completed(claim)]) == {claim.job_id}
        assert outcomes.finish(run.runtime, [completed(claim)]) == set()
        assert len(run.logs(claim.job_id)) == 1


def test_a_failure_is_counted_and_explained(platform: Platform) -> None:
    error = {"code": "JOB_FAILED", "message": "no", "details": {}, "retryable": False}
    with trial(platform, nothing) as run:
        (claim,) = claimed(run, 1)
        outcomes.finish(run.runtime, [Ended(claim, Outcome(JobStatus.FAILED, None, error), "", 0)])

        document = run.document(claim.job_id)
        assert (document["status"], document["failures"]) == ("failed", 1)
        assert (document["error"], document["message"]) == (error, "no")


def test_a_job_that_somebody_wants_to_hear_of_is_left_to_the_transaction(
    platform: Platform,
) -> None:
    with trial(platform, nothing) as run:
        claims = claimed(run, 2)
        with run.runtime.sessions.begin() as session:
            heard = text("UPDATE jobs SET callback_url = 'https://example.com' WHERE id = :id")
            session.execute(heard, {"id": claims[0].job_id})

        ended = outcomes.finish(run.runtime, [completed(claim) for claim in claims])
        assert ended == {claims[1].job_id}
        assert run.row(claims[0].job_id).finished_at is None


def test_wakeups_that_came_before_are_not_claimed_again(platform: Platform) -> None:
    with trial(platform, nothing) as run:
        first, other = (Wakeup(run.submit(), 0, NAME, "short") for _ in range(2))
        operation = run.runtime.registry.get(NAME)
        assert claim_many(run.runtime, operation, [first], "trial", uuid4())

        again = claim_many(run.runtime, operation, [first, other], "trial", uuid4())
        assert [claim.job_id for claim in again] == [other.job_id]
