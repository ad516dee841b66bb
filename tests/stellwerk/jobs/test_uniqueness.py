from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from embedded import wait_until
from locks import waits_for_a_lock
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.errors import Conflict, ErrorCode
from stellwerk.jobs import control
from stellwerk.jobs.bulk import submit_all
from stellwerk.jobs.queries import stored_status
from stellwerk.jobs.requeue import EndedJobs, requeue
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.submission import Submission, submit
from trial import NAME, Trial, trial

HELD = text("""
    INSERT INTO jobs (id, operation, operation_version, queue, payload, max_attempts, unique_key)
    VALUES (gen_random_uuid(), 'diagnostics.echo', 1, 'short', '{}', 1, 'daily')
""")
END_ALL = text("UPDATE jobs SET status = 'cancelled', finished_at = now()")


@pytest.fixture
def ada(platform: Platform) -> int:
    return add_user(platform)


@pytest.fixture
def bob(platform: Platform) -> int:
    return add_user(platform)


@pytest.fixture(params=["plain", "with a domain"])
def installs(request: pytest.FixtureRequest, platform: Platform) -> Iterator[Trial]:
    """An operation of which one job at a time may be about each `value`, whosever it is."""
    declared: dict[str, Any] = {"unique_key": lambda payload: f"module:{payload['value']}"}
    if request.param == "with a domain":
        declared["on_accept"] = lambda *_: None
    with trial(platform, lambda *_: None, **declared) as run:
        yield run


def refused(submission: Callable[[], Any]) -> Conflict:
    with pytest.raises(Conflict) as conflict:
        submission()
    assert conflict.value.code is ErrorCode.DUPLICATE_JOB
    return conflict.value


def test_anothers_unique_key_is_in_nobodys_way(installs: Trial, ada: int, bob: int) -> None:
    installs.submit(owner_id=ada, unique_key="daily", value=1)
    mine = installs.submit(owner_id=bob, unique_key="daily", value=2)
    nobodys = installs.submit(unique_key="daily", value=3)

    again = refused(lambda: installs.submit(owner_id=bob, unique_key="daily", value=4))
    assert again.details == {"job_id": str(mine)}
    again = refused(lambda: installs.submit(unique_key="daily", value=4))
    assert again.details == {"job_id": str(nobodys)}


def test_what_an_operation_declares_unique_is_so_for_everybody(
    installs: Trial, ada: int, bob: int
) -> None:
    first = installs.submit(owner_id=ada, value=7)
    again = refused(lambda: installs.submit(owner_id=bob, value=7))
    assert again.details == {"job_id": str(first)}
    again = refused(lambda: installs.submit(owner_id=bob, value=7, unique_key="my own"))
    assert again.details == {"job_id": str(first)}

    control.cancel(installs.runtime, first)
    second = installs.submit(owner_id=bob, value=7)
    again = refused(lambda: control.retry(installs.runtime, first))
    assert again.details == {"job_id": str(second)}
    control.cancel(installs.runtime, second)
    control.retry(installs.runtime, first)


def test_each_taken_entry_of_many_is_named_by_what_gave_its_key(
    installs: Trial, ada: int, bob: int
) -> None:
    first = installs.submit(owner_id=ada, value=7)
    second = installs.submit(owner_id=bob, value=8, unique_key="daily")
    entries = [
        Submission(NAME, {"value": 1}, ada, unique_key="daily"),
        Submission(NAME, {"value": 7}, bob),
        Submission(NAME, {"value": 2}, bob, unique_key="daily"),
    ]

    errors = refused(lambda: submit_all(installs.runtime, entries)).errors
    assert [error.field for error in errors] == ["jobs.1.payload", "jobs.2.unique_key"]
    assert [str(first) in errors[0].reason, str(second) in errors[1].reason] == [True, True]


def test_of_ended_jobs_with_a_common_key_the_newest_is_queued_again(
    installs: Trial, ada: int, bob: int
) -> None:
    def ended(owner_id: int, value: int, key: str) -> UUID:
        job_id = installs.submit(owner_id=owner_id, value=value, unique_key=key)
        control.cancel(installs.runtime, job_id)
        return job_id

    other = ended(ada, 1, "daily")
    ended(bob, 2, "daily")
    newest = ended(bob, 3, "daily")
    ended(ada, 4, "hourly")
    installs.submit(owner_id=bob, value=4)
    wanted = EndedJobs(status=JobStatus.CANCELLED)

    assert requeue(installs.runtime, wanted, by=None).job_ids == [other, newest]


@pytest.mark.parametrize("store", ["one", "many"])
def test_a_job_whose_rival_ended_just_then_is_accepted(platform: Platform, store: str) -> None:
    """The rival is committed, found to be in the way, and ended before anybody can look it up."""
    wanted = Submission("diagnostics.echo", {}, None, unique_key="daily")

    def send() -> None:
        if store == "one":
            submit(platform.runtime, wanted)
        else:
            submit_all(platform.runtime, [wanted])

    def end_the_rival() -> None:
        with platform.engine.begin() as connection:
            connection.execute(text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
            connection.execute(END_ALL)

    with ThreadPoolExecutor() as pool:
        with platform.engine.begin() as connection:
            connection.execute(HELD)
            sent = pool.submit(send)
            wait_until(lambda: waits_for_a_lock(platform) == 1)
            ending = pool.submit(end_the_rival)
            wait_until(lambda: waits_for_a_lock(platform) == 2)
        ending.result()
        sent.result()
    with platform.runtime.sessions() as session:
        assert stored_status(session, wanted.job_id) is JobStatus.QUEUED
