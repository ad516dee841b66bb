"""What a worker leaves on the broker, how soon it takes more, and what it tells Flower."""

import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from redis import Redis

from embedded import wait_until
from stellwerk.bootstrap import Platform
from stellwerk.broker.publisher import publishing_app
from stellwerk.jobs import control
from stellwerk.jobs.model import Job
from stellwerk.jobs.submission import Submission, submit
from stellwerk.settings import environment
from stellwerk_workers.consuming import EVENTS_EVERY_S

NOTING_WORKER = Path(__file__).parents[1] / "support" / "noting_worker.py"


@pytest.mark.usefixtures("engine")
def test_nobody_keeps_a_list_of_unacknowledged_wakeups(platform: Platform) -> None:
    redis: Redis = platform.live_client.redis
    job_id = submit(platform.runtime, Submission("diagnostics.sleep", {"seconds": 60}, None))
    wait_until(lambda: status(platform, job_id) == "running")

    assert redis.exists("unacked", "unacked_index") == 0
    control.cancel(platform.runtime, job_id)
    wait_until(lambda: status(platform, job_id) == "cancelled")


def test_a_thread_that_is_done_gets_its_next_wakeup_at_once(redis_url: str) -> None:
    url = f"{redis_url.rpartition('/')[0]}/5"
    command = [sys.executable, str(NOTING_WORKER), url]
    with Redis.from_url(url) as redis, publishing_app(url) as app:
        for _ in range(40):
            app.send_task("note", queue="short")
        worker = subprocess.Popen(command, env=environment())  # noqa: S603  our own worker
        try:
            wait_until(lambda: redis.llen("noted") == 40, timeout_s=60)
            noted = [float(at) for at in redis.lrange("noted", 0, -1)]
        finally:
            worker.terminate()
            worker.wait(timeout=60)
            redis.flushdb()

    assert median(later - sooner for sooner, later in pairwise(noted)) < EVENTS_EVERY_S / 2


@pytest.mark.usefixtures("engine")
def test_flower_hears_every_event_of_a_single_job(platform: Platform) -> None:
    app = publishing_app(platform.settings.broker())
    seen: list[dict[str, Any]] = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": seen.append})
        with receiver.consumer_context() as (events, _, _):

            def hears() -> bool:
                with suppress(TimeoutError):
                    events.drain_events(timeout=1)
                return bool(seen)

            wait_until(hears, timeout_s=60)  # a heartbeat: only now it has certainly subscribed
            job_id = submit(platform.runtime, Submission("diagnostics.sleep", {"seconds": 1}, None))

            def kinds() -> set[str]:
                hears()
                return {event["type"] for event in seen if event.get("uuid") == str(job_id)}

            expected = {"task-received", "task-started", "task-succeeded"}
            wait_until(lambda: kinds() == expected, timeout_s=60)
    app.close()


def status(platform: Platform, job_id: Any) -> str:
    with platform.runtime.sessions() as session:
        return session.get_one(Job, job_id).status
