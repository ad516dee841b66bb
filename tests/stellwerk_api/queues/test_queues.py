from typing import Any

import pytest
from sqlalchemy import text

from api import ApiUser, error_of
from embedded import wait_until
from engine import Engine
from stellwerk.bootstrap import Platform
from stellwerk.jobs import dispatch
from stellwerk.jobs.bulk import submit_all
from stellwerk.jobs.submission import Submission, submit

QUEUES = ["short", "long", "media", "short_low", "long_low", "media_low"]
_WAITING = text("""
    INSERT INTO jobs (id, operation, operation_version, queue, payload, max_attempts, run_at)
    SELECT gen_random_uuid(), 'diagnostics.echo', 1, 'long', '{}', 5, now() - interval '90 s'
    FROM generate_series(1, 7)
""")


def test_a_queue_is_shown_with_what_waits_and_for_how_long(
    platform: Platform, admin: ApiUser
) -> None:
    with platform.runtime.sessions.begin() as session:
        session.execute(_WAITING)
    dispatch.publish_due(platform.runtime, "long")
    admin.submit("diagnostics.sleep")

    found = {queue["name"]: queue for queue in admin.get("/queues").get_json()["items"]}

    assert list(found) == QUEUES
    long = found["long"]
    assert (long["waiting"], long["outstanding"], long["scheduled"]) == (5, 2, 1)
    assert 90 <= long["oldest_s"] < 600
    assert (long["workers"], long["slots"], long["paused"]) == ([], 0, False)
    assert found["short"]["oldest_s"] is None
    assert admin.get("/queues/long").get_json()["waiting"] == 5


def test_an_unknown_queue_is_404_and_names_those_there_are(admin: ApiUser) -> None:
    for answer in (admin.get("/queues/fast"), admin.post("/queues/fast/pause")):
        assert "short_low" in error_of(answer, 404)["message"]


def test_pausing_and_resuming_twice_is_doing_it_once(admin: ApiUser) -> None:
    first = admin.post("/queues/media/pause").get_json()
    again = admin.post("/queues/media/pause").get_json()
    assert first["paused"]
    assert first["paused_by"] == admin.user["id"]
    assert first["paused_at"] == again["paused_at"]

    for _ in range(2):
        resumed = admin.post("/queues/media/resume").get_json()
        assert (resumed["paused"], resumed["paused_at"], resumed["paused_by"]) == (
            False,
            None,
            None,
        )


@pytest.mark.usefixtures("engine")
def test_no_job_of_a_paused_queue_starts_until_it_is_resumed(
    platform: Platform, admin: ApiUser
) -> None:
    published = submit(platform.runtime, Submission("diagnostics.sleep", {"seconds": 0.1}, None))
    wait_until(lambda: admin.get(f"/jobs/{published}").get_json()["status"] == "completed")

    admin.post("/queues/long/pause")
    waiting = submit(platform.runtime, Submission("diagnostics.sleep", {"seconds": 0.1}, None))
    other = submit(platform.runtime, Submission("diagnostics.echo", {}, None))
    wait_until(lambda: admin.get(f"/jobs/{other}").get_json()["status"] == "completed")
    assert admin.get(f"/jobs/{waiting}").get_json()["status"] == "queued"

    admin.post("/queues/long/resume")
    wait_until(lambda: admin.get(f"/jobs/{waiting}").get_json()["status"] == "completed")


def test_what_was_published_before_the_pause_goes_out_again_at_its_end(
    platform: Platform, admin: ApiUser
) -> None:
    submit(platform.runtime, Submission("diagnostics.sleep", {}, None))
    assert admin.get("/queues/long").get_json()["outstanding"] == 1

    admin.post("/queues/long/pause")
    assert dispatch.publish_due(platform.runtime, "long") == 0
    admin.post("/queues/long/resume")
    assert dispatch.publish_due(platform.runtime, "long") == 1


@pytest.mark.usefixtures("engine")
def test_workers_are_shown_with_their_slots_and_what_they_got_done(
    platform: Platform, admin: ApiUser
) -> None:
    def short() -> dict[str, Any]:
        queue: dict[str, Any] = admin.get("/queues/short").get_json()
        return queue

    wait_until(lambda: short()["workers"])
    assert short()["slots"] == 4
    for _ in range(3):
        submit(platform.runtime, Submission("diagnostics.echo", {}, None))
    wait_until(lambda: short()["ended_last_minute"] >= 3)


def test_what_children_and_lists_got_done_is_counted_once_each(
    platform: Platform, admin: ApiUser, engine: Engine
) -> None:
    for role in ("long", "short"):  # new ones have got nothing done
        engine.kill(role)
    engine.restart_what_ended()
    submissions = [Submission("diagnostics.sleep", {"seconds": 0}, None) for _ in range(8)]
    submissions += [Submission("diagnostics.echo", {}, None) for _ in range(60)]
    submissions += [Submission("diagnostics.fail", {"kind": "final"}, None) for _ in range(3)]
    submit_all(platform.runtime, submissions)

    def ended() -> dict[str, int]:
        queues = admin.get("/queues").get_json()["items"]
        return {queue["name"]: queue["ended_last_minute"] for queue in queues}

    nothing = dict.fromkeys(QUEUES, 0)
    wait_until(lambda: ended() == nothing | {"short": 60, "long": 11}, timeout_s=40)
