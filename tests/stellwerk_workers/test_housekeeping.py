"""What beat starts is submitted as a job, and a worker carries it out."""

from typing import Any

import pytest
from sqlalchemy import select, text

from embedded import wait_until
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.broker.publisher import publishing_app
from stellwerk.db.expiry import BATCH
from stellwerk.jobs.model import Job
from stellwerk_workers.beat import SCHEDULE
from stellwerk_workers.housekeeping import purge
from trial import trial

_SESSIONS = text("""
    INSERT INTO user_sessions (id, user_id, expires_at)
    SELECT gen_random_uuid(), :user_id, now() - age * interval '1 day'
    FROM unnest(ARRAY[1, 30]) AS age
""")

_MANY_SESSIONS = text("""
    INSERT INTO user_sessions (id, user_id, expires_at)
    SELECT gen_random_uuid(), :user_id, now() - interval '30 days' FROM generate_series(1, :many)
""")
_MANY_STONES = text("""
    INSERT INTO job_tombstones (job_id, purged_at)
    SELECT gen_random_uuid(), now() - interval '400 days' FROM generate_series(1, :many)
""")

_KEYS = text("""
    INSERT INTO api_keys (id, user_id, name, prefix, key_hash, revoked_at, replaced_at, expires_at)
    SELECT gen_random_uuid(), :user_id, name, 'sk_', md5(name), now() - revoked * interval '1 day',
        now() - replaced * interval '1 day', now() - expired * interval '1 day'
    FROM (VALUES
        ('in use', NULL::int, NULL::int, NULL::int),
        ('expired long ago', NULL, NULL, 400),
        ('revoked lately', 89, NULL, NULL),
        ('revoked long ago', 91, NULL, NULL),
        ('replaced and in use', NULL, 400, -1),
        ('replaced long ago', NULL, 92, 91)
    ) AS keys (name, revoked, replaced, expired)
""")
_REQUESTS = text("""
    INSERT INTO privacy_requests (id, kind, status, receipt, due_at, finished_at)
    SELECT gen_random_uuid(), kind, status, receipt::jsonb, now(), now() - age * interval '1 day'
    FROM (VALUES
        ('export', 'completed', NULL, 366),
        ('export', 'completed', NULL, 364),
        ('erase', 'cancelled', NULL, 366),
        ('erase', 'completed', '{}', 4000)
    ) AS requests (kind, status, receipt, age)
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


def test_keys_that_are_over_go_and_those_that_are_listed_stay(platform: Platform) -> None:
    with platform.runtime.sessions.begin() as session:
        session.execute(_KEYS, {"user_id": add_user(platform)})
    assert purged(platform, "api_keys") == 2
    with platform.runtime.sessions() as session:
        left = set(session.scalars(text("SELECT name FROM api_keys")))
    assert left == {"in use", "expired long ago", "revoked lately", "replaced and in use"}


def test_requests_of_last_year_go_but_receipts_of_erasures(platform: Platform) -> None:
    with platform.runtime.sessions.begin() as session:
        session.execute(_REQUESTS)
    assert purged(platform, "privacy_requests") == 2
    with platform.runtime.sessions() as session:
        left = session.execute(text("SELECT kind, status FROM privacy_requests")).all()
    assert sorted(map(tuple, left)) == [("erase", "completed"), ("export", "completed")]


def test_more_than_a_batch_goes_in_one_run(platform: Platform) -> None:
    many = 2 * BATCH + 1
    with platform.runtime.sessions.begin() as session:
        session.execute(_MANY_STONES, {"many": many})
        session.execute(_MANY_SESSIONS, {"many": many, "user_id": add_user(platform)})
    removed = run_of(platform)
    assert (removed["tombstones"], removed["sessions"]) == (many, many)


def test_a_row_that_somebody_holds_is_left_to_the_next_run(platform: Platform) -> None:
    with platform.runtime.sessions.begin() as session:
        session.execute(_MANY_SESSIONS, {"many": 3, "user_id": add_user(platform)})
    with platform.runtime.sessions.begin() as other:
        other.execute(text("SELECT id FROM user_sessions LIMIT 1 FOR UPDATE"))
        assert purged(platform, "sessions") == 2
    assert purged(platform, "sessions") == 1


def purged(platform: Platform, kind: str) -> int:
    """How many of a kind housekeeping removes."""
    return run_of(platform)[kind]


def run_of(platform: Platform) -> dict[str, int]:
    """What housekeeping removes, by kind."""
    with trial(platform, purge) as run:
        job_id = run.submit()
        run.attempt(job_id)
        result: dict[str, Any] = run.row(job_id).result or {}
    return dict(result["removed"])


def jobs(platform: Platform) -> list[Job]:
    with platform.runtime.sessions() as session:
        return list(session.scalars(select(Job)))
