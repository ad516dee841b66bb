"""A job whose time comes is told of, though nobody changes it then."""

import json
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import func, update

from embedded import wait_until
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.clock import utc_now
from stellwerk.jobs import queue_states
from stellwerk.jobs.model import Job
from stellwerk.jobs.submission import Submission, submit
from stellwerk.live import keys
from stellwerk_workers.coming_due import ComingDue
from stellwerk_workers.dispatcher import Dispatcher


def test_who_listens_hears_that_a_scheduled_job_is_queued(platform: Platform) -> None:
    own = bootstrap(platform.settings, role="dispatcher", pool_size=1)
    dispatcher = Dispatcher(own)
    job_id = just_due(platform)
    try:
        wait_until(partial(is_told, platform, dispatcher, job_id))
    finally:
        own.close()
    assert told(platform, job_id) == [("1-0", "scheduled"), ("1-1", "queued")]


def test_it_is_told_once_however_many_dispatchers_look(platform: Platform) -> None:
    job_id = just_due(platform)
    first, second = ComingDue(platform.runtime), ComingDue(platform.runtime)
    wait_until(lambda: first.look() == 1)
    assert second.look() == 1
    assert [status for _, status in told(platform, job_id)] == ["scheduled", "queued"]


def test_jobs_that_were_due_from_the_start_are_not_told_of_again(platform: Platform) -> None:
    submit(platform.runtime, Submission("diagnostics.echo", {}, None))
    assert ComingDue(platform.runtime).look() == 0


def test_a_job_that_waits_for_its_next_attempt_is_told_of_as_well(platform: Platform) -> None:
    job_id = just_due(platform)
    with platform.runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(attempt=1, version=7))
    wait_until(lambda: ComingDue(platform.runtime).look() == 1)
    assert told(platform, job_id)[-1] == ("7-1", "queued")


def just_due(platform: Platform) -> UUID:
    """A job that was scheduled and is due now, in a queue that is held."""
    queue_states.pause(platform.runtime, "short", None)
    later = utc_now() + timedelta(hours=1)
    job_id = submit(platform.runtime, Submission("diagnostics.echo", {}, None, run_at=later))
    with platform.runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(run_at=func.clock_timestamp()))
    return job_id


def is_told(platform: Platform, dispatcher: Dispatcher, job_id: UUID) -> bool:
    dispatcher.turn()
    return len(told(platform, job_id)) > 1


def told(platform: Platform, job_id: UUID) -> list[tuple[str, str]]:
    """Ids and statuses of the events that listeners were sent."""
    entries: Any = platform.live_client.redis.xrange(keys.job_events(job_id))
    return [
        (event_id.decode(), json.loads(fields[b"data"])["status"]) for event_id, fields in entries
    ]
