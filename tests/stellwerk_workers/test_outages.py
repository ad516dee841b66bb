"""What waits for the ledger, and what does not wait without end."""

from collections.abc import Iterator
from functools import partial
from threading import Event

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from errors_of_postgres import stops
from stellwerk.bootstrap import Platform
from stellwerk.jobs.operation import RetryPolicy
from stellwerk_workers import outages
from stellwerk_workers.outages import STUCK_TRIES
from trial import trial


@pytest.mark.parametrize("code", ["57014", "55P03", "40P01"])
def test_what_is_stuck_is_given_up_after_a_few_tries(platform: Platform, code: str) -> None:
    assert tries(platform, partial(stops, code)) == STUCK_TRIES


@pytest.mark.parametrize("code", ["57P03", "53300", "53100"])
def test_a_ledger_that_is_gone_or_full_is_waited_for(platform: Platform, code: str) -> None:
    assert tries(platform, partial(stops, code)) == 21


def test_what_can_never_work_is_tried_once(platform: Platform) -> None:
    assert tries(platform, partial(stops, "23505")) == 1


def tries(platform: Platform, action: partial[None]) -> int:
    """How often it was tried."""
    pause, count = Event(), 0
    pause.set()

    def attempt() -> None:
        nonlocal count
        count += 1
        with platform.runtime.sessions() as session:
            action(session)

    with pytest.raises(SQLAlchemyError):
        outages.through_outages(attempt, tries=20, pause=pause)
    return count


def test_a_job_that_is_done_does_not_fail_because_its_end_is_stuck(
    platform: Platform, nobody_ends: None
) -> None:
    del nobody_ends
    with trial(platform, lambda *_: {"value": 1}, retry=RetryPolicy(max_attempts=1)) as run:
        run.runner.pause.set()
        job_id = run.submit()
        with pytest.raises(SQLAlchemyError):
            run.attempt(job_id)
        row = run.row(job_id)
    assert (row.status, row.failures, row.error) == ("running", 0, None)


@pytest.fixture
def nobody_ends(platform: Platform) -> Iterator[None]:
    """Every end meets a lock that is not let go."""
    with platform.engine.begin() as connection:
        for statement in _STUCK:
            connection.execute(text(statement))
    yield
    with platform.engine.begin() as connection:
        connection.execute(text("DROP FUNCTION be_stuck CASCADE"))


_STUCK = (
    """
    CREATE FUNCTION be_stuck() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'stuck' USING ERRCODE = '55P03'; END $$
    """,
    """
    CREATE TRIGGER be_stuck BEFORE UPDATE ON jobs FOR EACH ROW
    WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION be_stuck()
    """,
)
