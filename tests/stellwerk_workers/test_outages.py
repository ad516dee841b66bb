"""What waits for the ledger, and what does not wait without end."""

from functools import partial
from threading import Event

import pytest
from sqlalchemy.exc import SQLAlchemyError

from errors_of_postgres import stops
from stellwerk.bootstrap import Platform
from stellwerk_workers import outages
from stellwerk_workers.outages import STUCK_TRIES


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
