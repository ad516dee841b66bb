"""Ends that nobody was told of, and the dispatcher that tells them."""

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from embedded import wait_until
from outbox import Outbox
from stellwerk.bootstrap import Platform
from stellwerk.jobs import claims, outcomes
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.model import Job
from stellwerk.jobs.outcomes import Ended
from stellwerk.jobs.ports import Change, Event, Wakeup
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.submission import Submission, submit
from stellwerk.live import keys
from stellwerk_workers.reshowing import SLICE, Reshowing

_MANY_ENDED = text("""
    WITH ended AS (
        INSERT INTO jobs (id, operation, operation_version, queue, payload, max_attempts, status,
            version, finished_at)
        SELECT gen_random_uuid(), 'diagnostics.echo', 1, 'short', '{}', 5, 'completed', 3, now()
        FROM generate_series(1, 450) RETURNING id)
    INSERT INTO job_logs (job_id, attempt, level, message)
    SELECT id, 1, 'info', 'completed' FROM ended
""")


class Dark:
    """A board that shows nothing, as if its process had died before."""

    def show(self, changes: Sequence[Change]) -> bool:
        del changes
        return True

    def emit(self, event: Event, owner_id: int | None) -> None:
        del event, owner_id

    def keep(self, job_ids: Sequence[UUID]) -> None:
        del job_ids

    def forget(self, job_ids: Sequence[UUID]) -> bool:
        del job_ids
        return True


class Counting(Dark):
    """Counts what it is shown."""

    def __init__(self) -> None:
        self.trips: list[int] = []

    def show(self, changes: Sequence[Change]) -> bool:
        self.trips.append(len(changes))
        return True


def ended(platform: Platform, *, is_told: bool) -> UUID:
    """A job that was shown when it was accepted, and has ended."""
    job_id = submit(platform.runtime, Submission("diagnostics.echo", {}, None))
    runtime = replace(platform.runtime, publisher=Outbox())
    runtime = runtime if is_told else replace(runtime, board=Dark())
    wakeup = Wakeup(job_id, 0, "diagnostics.echo", "short")
    claimed = claims.claim(runtime, wakeup, "worker", uuid4())
    assert claimed
    done = Ended(claimed, Outcome(JobStatus.COMPLETED, result={}), "completed", 0.0)
    assert outcomes.finish(runtime, [done]) == {job_id}
    return job_id


def test_an_end_that_nobody_was_told_of_is_shown_at_the_next_look(platform: Platform) -> None:
    reshowing = Reshowing(platform)
    reshowing.look()
    ended(platform, is_told=True)
    job_id = ended(platform, is_told=False)
    before = platform.live.read(job_id)
    assert before
    assert before.version == 1

    assert reshowing.look() == 1

    after = platform.live.read(job_id)
    assert after
    assert after.version == 3
    assert b'"status":"completed"' in after.document
    (latest,) = platform.live_client.redis.xrevrange(keys.job_events(job_id), count=1) or []
    assert latest[1] == {b"type": b"end", b"data": after.document}
    assert reshowing.look() == 0


def test_a_dispatcher_that_starts_later_shows_it_as_well(platform: Platform) -> None:
    ended(platform, is_told=False)
    assert Reshowing(platform).look() == 1


def test_what_redis_does_not_show_at_all_is_left_to_the_next_reader(platform: Platform) -> None:
    job_id = ended(platform, is_told=False)
    platform.live_client.redis.delete(keys.job_status(job_id))

    assert Reshowing(platform).look() == 0
    assert platform.live.read(job_id) is None


def test_what_ended_while_redis_was_away_is_shown_when_it_is_back(
    platform: Platform, redis_process: int
) -> None:
    reshowing = Reshowing(platform)
    reshowing.look()
    job_id = ended(platform, is_told=False)
    os.kill(redis_process, signal.SIGSTOP)
    for _ in range(3):
        assert reshowing.look() == 0
    os.kill(redis_process, signal.SIGCONT)

    wait_until(lambda: reshowing.look() == 1)

    after = platform.live.read(job_id)
    assert after
    assert after.version == 3


def test_what_is_much_is_shown_in_several_trips(platform: Platform) -> None:
    """As after an outage: then one trip would take longer than Redis is given."""
    with platform.runtime.sessions.begin() as session:
        session.execute(_MANY_ENDED)
    with platform.runtime.sessions() as session:
        many = session.scalars(select(Job.id)).all()
    with platform.live_client.redis.pipeline(transaction=False) as pipe:
        for job_id in many:
            pipe.hset(keys.job_status(job_id), mapping={"v": 1, "o": "", "d": "{}"})
        pipe.execute()
    board = Counting()
    counted = replace(platform, runtime=replace(platform.runtime, board=board))

    assert Reshowing(counted).look() == len(many)

    assert sum(board.trips) == len(many)
    assert max(board.trips) <= SLICE


def test_an_error_for_an_answer_counts_as_none(platform: Platform) -> None:
    job_id = ended(platform, is_told=False)
    redis = platform.live_client.redis
    redis.delete(keys.job_status(job_id))
    redis.set(keys.job_status(job_id), "no hash")

    assert platform.live.behind({job_id: 3}) is None
    assert Reshowing(platform).look() == 0


@pytest.fixture
def redis_process(platform: Platform) -> Iterator[int]:
    """Of the server; it goes on afterwards."""
    pid = int(platform.live_client.redis.info("server")["process_id"])
    yield pid
    os.kill(pid, signal.SIGCONT)
