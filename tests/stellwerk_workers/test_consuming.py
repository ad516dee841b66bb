"""What a worker leaves on the broker, and what it tells Flower."""

from contextlib import suppress
from typing import Any

import pytest
from redis import Redis

from embedded import wait_until
from stellwerk.bootstrap import Platform
from stellwerk.broker.publisher import publishing_app
from stellwerk.jobs.model import Job
from stellwerk.jobs.submission import Submission, submit


@pytest.mark.usefixtures("engine")
def test_nobody_keeps_a_list_of_unacknowledged_wakeups(platform: Platform) -> None:
    redis: Redis = platform.live_client.redis
    job_id = submit(platform.runtime, Submission("diagnostics.sleep", {"seconds": 1}, None))
    wait_until(lambda: status(platform, job_id) == "running", timeout_s=60)

    assert redis.exists("unacked", "unacked_index") == 0
    wait_until(lambda: status(platform, job_id) == "completed", timeout_s=60)


@pytest.mark.usefixtures("engine")
def test_flower_hears_every_event_of_a_single_job(platform: Platform) -> None:
    app = publishing_app(platform.settings.broker())
    seen: list[dict[str, Any]] = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": seen.append})
        with receiver.consumer_context() as (events, _, _):
            job_id = submit(platform.runtime, Submission("diagnostics.sleep", {"seconds": 1}, None))

            def kinds() -> set[str]:
                with suppress(TimeoutError):
                    events.drain_events(timeout=1)
                return {event["type"] for event in seen if event.get("uuid") == str(job_id)}

            expected = {"task-received", "task-started", "task-succeeded"}
            wait_until(lambda: kinds() == expected, timeout_s=60)
    app.close()


def status(platform: Platform, job_id: Any) -> str:
    with platform.runtime.sessions() as session:
        return session.get_one(Job, job_id).status
