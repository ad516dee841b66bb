"""The dispatcher's loop, and the order in which real workers take what it publishes."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import event, func, select, text, update

from again import in_one_of_few_tries
from embedded import wait_until
from engine import Engine
from people import add_user
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.jobs.model import Job
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.submission import Submission, submit
from stellwerk.live import keys
from stellwerk.live.epoch import set_mark, was_emptied
from stellwerk_workers.dispatcher import Dispatcher, broker_client

_BACKLOG = text("""
    INSERT INTO jobs (id, operation, operation_version, owner_id, queue, payload, max_attempts)
    SELECT gen_random_uuid(), 'diagnostics.echo', 1, :owner, 'short', '{}', 5
    FROM generate_series(1, 2000)
""")
_BEHIND = text("""
    SELECT count(*) FROM jobs
    WHERE owner_id = :owner AND (finished_at IS NULL OR finished_at > :ended_at)
""")
_EXPIRED = text("""
    UPDATE jobs SET status = 'running', attempt = 1, worker = 'gone', queue = 'long',
        lease_token = gen_random_uuid(), lease_until = now() - interval '1 minute'
    WHERE id = :id
""")


@pytest.fixture
def own(platform: Platform) -> Iterator[Platform]:
    """Collaborators of a dispatcher's own, not yet connected to anything."""
    made = bootstrap(platform.settings, role="dispatcher", pool_size=1)
    yield made
    made.close()


def test_a_broker_counts_as_emptied_until_everything_it_asks_for_is_done(
    platform: Platform,
) -> None:
    client = platform.live_client
    assert was_emptied(client)
    assert was_emptied(client)
    set_mark(client)
    assert not was_emptied(client)


def test_what_was_published_goes_out_again_after_the_broker_lost_it(
    platform: Platform, own: Platform
) -> None:
    dispatcher = Dispatcher(own)
    dispatcher.turn()
    submit(platform.runtime, Submission("diagnostics.echo", {}, None))
    redis = platform.live_client.redis
    assert redis.llen("short") == 1
    redis.flushdb()

    dispatcher.turn()
    assert redis.llen("short") == 1
    assert redis.exists(keys.EPOCH)


def test_the_mark_stands_where_the_wake_ups_are(platform: Platform) -> None:
    elsewhere = platform.settings.redis().rpartition("/")[0] + "/7"
    settings = platform.settings.model_copy(update={"broker_url": SecretStr(elsewhere)})
    made = bootstrap(settings, role="dispatcher", pool_size=1)
    broker = broker_client(made)
    assert broker is not None
    try:
        Dispatcher(made).turn()
        assert broker.redis.exists(keys.EPOCH)
        assert not platform.live_client.redis.exists(keys.EPOCH)
    finally:
        broker.redis.flushdb()
        broker.close()
        made.close()


def test_leases_are_spared_for_two_heartbeats_at_the_start_and_after_a_new_connection(
    platform: Platform, own: Platform
) -> None:
    def start_and_connect_again() -> None:
        dispatcher = Dispatcher(own)
        for _ in range(2):
            job_id = abandoned(platform)
            own.engine.dispose()
            dispatcher.turn()
            assert status(platform, job_id) == "running"
            wait_until(partial(rescued, dispatcher, platform, job_id))

    in_one_of_few_tries(start_and_connect_again)


def test_rescue_waits_for_no_step_that_is_stuck(platform: Platform, own: Platform) -> None:
    event.listen(own.engine, "connect", waits_briefly)
    dispatcher = Dispatcher(own)
    job_id = abandoned(platform)
    with platform.engine.begin() as other:
        other.execute(text("LOCK TABLE queue_states, schedules IN ACCESS EXCLUSIVE MODE"))
        wait_until(partial(rescued, dispatcher, platform, job_id))


def test_a_single_job_starts_within_seconds_beside_anothers_backlog(
    platform: Platform, engine: Engine
) -> None:
    def submit_beside_it() -> None:
        owners = add_user(platform), add_user(platform)
        with platform.runtime.sessions.begin() as session:
            session.execute(_BACKLOG, {"owner": owners[0]})
        wait_until(lambda: unfinished(platform, owners[0]) < 1990)

        job_id = submit(platform.runtime, Submission("diagnostics.echo", {}, owners[1]))
        wait_until(lambda: status(platform, job_id) == "completed")

        with platform.runtime.sessions() as session:
            job = session.get_one(Job, job_id)
            behind = session.scalar(_BEHIND, {"owner": owners[0], "ended_at": job.finished_at})
        assert behind, "the backlog was gone too soon to tell"
        assert job.started_at is not None
        assert (job.started_at - job.created_at).total_seconds() < 5

    in_one_of_few_tries(submit_beside_it)
    assert engine.processes["short"].poll() is None


def test_a_worker_takes_its_low_queue_after_the_other(platform: Platform, engine: Engine) -> None:
    engine.kill("dispatcher")
    engine.kill("long")
    low = [wakeup(platform, "long_low") for _ in range(6)]
    others = [wakeup(platform, "long") for _ in range(4)]
    platform.live_client.redis.flushdb()
    platform.runtime.publisher.publish(low + others)

    engine.start("long")
    wait_until(lambda: unfinished(platform, None) == 0)

    with platform.runtime.sessions() as session:
        order = list(session.scalars(select(Job.queue).order_by(Job.started_at)))
    assert set(order[:3]) == {"long"}
    assert set(order[-5:]) == {"long_low"}


def waits_briefly(connection: Any, _: object) -> None:
    """For locks, on every connection of a pool."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 100")
    connection.commit()


def wakeup(platform: Platform, queue: str) -> Wakeup:
    """Of a job in this queue, which nobody published yet."""
    job_id = submit(platform.runtime, Submission("diagnostics.sleep", {"seconds": 0.2}, None))
    with platform.runtime.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(queue=queue))
    return Wakeup(job_id, 0, "diagnostics.sleep", queue)


def abandoned(platform: Platform) -> UUID:
    """A job whose worker went away long ago."""
    job_id = submit(platform.runtime, Submission("diagnostics.sleep", {}, None))
    with platform.runtime.sessions.begin() as session:
        session.execute(_EXPIRED, {"id": job_id})
    return job_id


def rescued(dispatcher: Dispatcher, platform: Platform, job_id: UUID) -> bool:
    dispatcher.turn()
    return status(platform, job_id) == "queued"


def status(platform: Platform, job_id: UUID) -> str:
    with platform.runtime.sessions() as session:
        return session.get_one(Job, job_id).status


def unfinished(platform: Platform, owner: int | None) -> int:
    mine = Job.owner_id.is_(None) if owner is None else Job.owner_id == owner
    query = select(func.count()).select_from(Job).where(mine, Job.finished_at.is_(None))
    with platform.runtime.sessions() as session:
        return session.scalar(query) or 0
