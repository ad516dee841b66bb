"""Wake-ups that a dead worker had in hand go out again soon, and leave the window before that."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from embedded import wait_until
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.broker.messages import first_job
from stellwerk.jobs import claims
from stellwerk.jobs.model import Job
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.submission import Submission, submit
from stellwerk_workers.dispatcher import Dispatcher

WINDOW = 12  # of four slots
LONG_S = 60.0  # until a wake-up counts as lost by its age alone
SOON_S = 40.0  # of which a few are needed


@pytest.fixture
def own(platform: Platform) -> Iterator[Platform]:
    """Collaborators of a dispatcher's own, which waits long for wake-ups."""
    changed = {"job_republish_after_s": LONG_S, "short_slots": 4, "job_window_factor": 3}
    changed["job_lease_s"] = 60  # what is claimed here ends with the test
    made = bootstrap(platform.settings.model_copy(update=changed), role="dispatcher", pool_size=1)
    yield made
    made.close()


def test_a_window_that_a_dead_worker_took_along_is_open_again_within_seconds(
    own: Platform,
) -> None:
    dispatcher = started(own)
    jobs = {submitted(own) for _ in range(2 * WINDOW)}
    assert len(pop_all(own)) == WINDOW

    seen: set[str] = set()
    wait_until(partial(all_came, own, dispatcher, seen, jobs), timeout_s=SOON_S)


def test_what_the_broker_still_holds_is_not_sent_again(own: Platform) -> None:
    dispatcher = started(own)
    taken, left = submitted(own), submitted(own)
    with own.runtime.sessions.begin() as session:
        earlier = {"published_at": Job.published_at - timedelta(seconds=3)}
        session.execute(update(Job).where(Job.id == UUID(taken)).values(**earlier))
    redis = own.live_client.redis
    assert job_of(redis.rpop("short")) == taken

    wait_until(partial(is_sent_again, own, dispatcher, taken), timeout_s=SOON_S)
    assert held(own) == [left, taken]


def test_messages_that_are_not_ours_are_passed_over() -> None:
    assert first_job(b"no JSON") is None
    assert first_job(b'{"body": "e30="}') is None


def started(platform: Platform) -> Dispatcher:
    """A dispatcher that has seen to the empty broker."""
    dispatcher = Dispatcher(platform)
    dispatcher.turn()
    return dispatcher


def submitted(platform: Platform) -> str:
    return str(submit(platform.runtime, Submission("diagnostics.echo", {}, None)))


def held(platform: Platform) -> list[str]:
    """The jobs whose wake-ups the broker holds, those that come next first."""
    messages = platform.live_client.redis.lrange("short", 0, -1)
    return [job_of(message) for message in reversed(messages)]


def job_of(message: Any) -> str:
    found = first_job(message)
    assert found
    return found[0]


def pop_all(platform: Platform) -> list[str]:
    """As a worker does that dies of it."""
    jobs = held(platform)
    platform.live_client.redis.delete("short")
    return jobs


def all_came(platform: Platform, dispatcher: Dispatcher, seen: set[str], jobs: set[str]) -> bool:
    """Whether a worker that lives has claimed all of them."""
    dispatcher.turn()
    for job_id in pop_all(platform):
        wakeup = Wakeup(UUID(job_id), 0, "diagnostics.echo", "short")
        assert claims.claim(platform.runtime, wakeup, "alive", uuid4())
        seen.add(job_id)
    return seen == jobs


def is_sent_again(platform: Platform, dispatcher: Dispatcher, job_id: str) -> bool:
    dispatcher.turn()
    return job_id in held(platform)
