"""What beat starts is submitted as a job, and a worker carries it out."""

from typing import Any

import pytest
from sqlalchemy import select, text

from embedded import wait_until
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.broker.publisher import publishing_app
from stellwerk.jobs.model import Job
from stellwerk_workers.beat import SCHEDULE

_SESSIONS = text("""
    INSERT INTO user_sessions (id, user_id, expires_at)
    SELECT gen_random_uuid(), :user_id, now() - age * interval '1 day'
    FROM unnest(ARRAY[1, 30]) AS age
""")


@pytest.mark.usefixtures("engine")
def test_what_is_scheduled_runs_and_removes_what_has_expired(platform: Platform) -> None:
    with platform.runtime.sessions.begin() as session:
        session.execute(_SESSIONS, {"user_id": add_user(platform)})

    entry: dict[str, Any] = SCHEDULE["purge"]
    app = publishing_app(platform.settings.broker())
    app.send_task(entry["task"], args=entry["args"], queue=entry["options"]["queue"])

    wait_until(lambda: [job.status for job in jobs(platform)] == ["completed"])
    (job,) = jobs(platform)
    assert job.operation == "housekeeping.purge"
    assert job.owner_id is None
    assert job.result is not None
    assert job.result["removed"]["sessions"] == 1


def jobs(platform: Platform) -> list[Job]:
    with platform.runtime.sessions() as session:
        return list(session.scalars(select(Job)))
