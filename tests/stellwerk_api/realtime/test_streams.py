"""Server-sent events through the real edge, realtime and web processes."""

import json
import time
from uuid import UUID

from engine import Engine
from front import Front
from full_stack import Client
from jobs_over_http import cancel, events, kinds, opened, submit_for_later
from stellwerk.bootstrap import Platform
from stellwerk.jobs import queue_states
from stellwerk.jobs.ports import Event
from stellwerk.live import keys
from stellwerk.live.events import EventId
from stellwerk_api.documentation.parameters import LAST_EVENT_ID


def test_a_stream_starts_with_a_snapshot_and_ends_with_the_job(
    client: Client, platform: Platform, engine: Engine
) -> None:
    del engine
    queue_states.pause(platform.runtime, "long", by=None)  # so that it begins under these eyes
    job_id = client.submit("diagnostics.sleep", {"seconds": 0.3, "steps": 3})
    with events(client, job_id) as (answer, stream):
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Request-ID"]
        found = [next(stream)]
        queue_states.resume(platform.runtime, "long", by=None)
        found += stream
    assert found[0].type == "snapshot"
    assert found[-1].type == "end"
    assert json.loads(found[-1].data)["status"] == "completed"
    assert "status" in kinds(found)
    ids = [EventId.parse(event.id) for event in found]
    assert ids == sorted(ids)
    progress = [json.loads(event.data)["progress"] for event in found]
    assert progress == sorted(progress)


def test_a_reconnect_goes_on_after_the_last_event_it_saw(client: Client) -> None:
    job_id = submit_for_later(client)
    with events(client, job_id) as (_, stream):
        seen = next(stream)
    cancel(client, job_id)
    with events(client, job_id, last_id=seen.id) as (_, stream):
        found = list(stream)
    assert kinds(found) == ["end"]
    assert EventId.parse(found[0].id) > EventId.parse(seen.id)


def test_the_documented_example_of_a_last_event_is_understood(client: Client) -> None:
    job_id, ended = submit_for_later(client), submit_for_later(client)
    cancel(client, ended)
    for path, status in ((job_id, 200), (ended, 204)):
        with events(client, path, last_id=LAST_EVENT_ID["example"]) as (answer, _):
            assert answer.status_code == status


def test_a_reconnect_after_the_end_gets_204(client: Client) -> None:
    job_id = submit_for_later(client)
    cancel(client, job_id)
    with events(client, job_id) as (_, stream):
        found = list(stream)
    assert kinds(found) == ["snapshot", "end"]
    with events(client, job_id, last_id=found[-1].id) as (answer, _):
        assert answer.status_code == 204
        assert answer.headers["X-Request-ID"]


def test_a_retried_job_can_be_followed_from_its_first_end(client: Client) -> None:
    job_id = submit_for_later(client)
    cancel(client, job_id)
    with events(client, job_id) as (_, stream):
        first_end = list(stream)[-1]
    assert client.request("POST", f"/jobs/{job_id}/retry").ok
    with events(client, job_id, last_id=first_end.id) as (answer, stream):
        assert answer.status_code == 200
        assert json.loads(next(stream).data)["status"] != "cancelled"


def test_where_redis_forgot_the_events_there_is_a_snapshot(
    client: Client, platform: Platform
) -> None:
    job_id = submit_for_later(client)
    with events(client, job_id) as (_, stream):
        seen = next(stream)
    cancel(client, job_id)
    platform.live_client.redis.delete(keys.job_events(job_id), keys.job_status(job_id))
    with events(client, job_id, last_id=seen.id) as (_, stream):
        assert kinds(list(stream)) == ["snapshot", "end"]


def test_unreadable_last_event_ids_start_anew(client: Client) -> None:
    job_id = submit_for_later(client)
    cancel(client, job_id)
    with events(client, job_id, last_id="yesterday") as (_, stream):
        assert kinds(list(stream)) == ["snapshot", "end"]


def test_strangers_and_nobody_get_flasks_refusal(client: Client, front: Front) -> None:
    job_id = submit_for_later(client)
    for who, status in ((Client(front.url).sign_up(), 404), (Client(front.url), 401)):
        with events(who, job_id) as (answer, _):
            assert answer.status_code == status
            assert answer.json()["error"]["code"]
    with events(client, "0" * 36) as (answer, _):
        assert answer.status_code in {404, 422}


def test_tokens_of_a_job_arrive_in_between(client: Client, platform: Platform) -> None:
    job_id = submit_for_later(client)
    with events(client, job_id) as (_, stream):
        snapshot = EventId.parse(next(stream).id)
        for number, word in enumerate(("Guten", "Tag\n"), start=1):
            event = Event(UUID(job_id), snapshot.version, number, "token", {"text": word})
            platform.live.emit(event, None)
        found = [next(stream), next(stream)]
    assert [json.loads(event.data)["text"] for event in found] == ["Guten", "Tag\n"]


def test_all_of_ones_own_jobs_can_be_followed_in_one_stream(client: Client, front: Front) -> None:
    known = submit_for_later(client)
    stranger = Client(front.url).sign_up()
    with opened(client, "/jobs/events") as (answer, found):
        assert answer.headers["X-Request-ID"]
        listed = next(found)
        assert listed.type == "snapshot"
        assert [job["job_id"] for job in json.loads(listed.data)["items"]] == [known]
        submit_for_later(stranger)
        fresh = submit_for_later(client)
        cancel(client, known)
        told = [next(found), next(found)]
    assert kinds(told) == ["status", "end"]
    assert [json.loads(event.data)["job_id"] for event in told] == [fresh, known]
    with opened(Client(front.url), "/jobs/events") as (answer, _):
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "NOT_AUTHENTICATED"
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_stream_ends_with_its_session(client: Client) -> None:
    job_id = submit_for_later(client)
    with events(client, job_id) as (_, found):
        next(found)
        assert Client(client.url, client.session).request("POST", "/auth/logout").ok
        last = list(found)[-1]
    assert (last.type, json.loads(last.data)) == ("dropped", {"code": "NOT_AUTHENTICATED"})


def test_a_reader_that_does_not_keep_up_is_dropped_with_a_code(
    client: Client, front: Front, platform: Platform
) -> None:
    job_id = submit_for_later(client)
    direct = Client(front.realtime_url, client.session)
    filler = "x" * 100_000
    with events(direct, job_id) as (_, stream):
        version = EventId.parse(next(stream).id).version
        for number in range(1, 501):
            event = Event(UUID(job_id), version, number, "token", {"text": filler})
            platform.live.emit(event, None)
        last = list(stream)[-1]
    assert last.type == "dropped"
    assert json.loads(last.data)["code"] == "SLOW_READER"


def test_a_stream_says_first_when_to_connect_again(client: Client) -> None:
    for path in (f"/jobs/{submit_for_later(client)}/events", "/jobs/events"):
        with opened(client, path) as (answer, _):
            lines = answer.iter_lines(chunk_size=None, decode_unicode=True)
            assert next(lines) == "retry: 2000"


def test_a_silent_stream_shows_that_it_is_alive(client: Client) -> None:
    job_id = submit_for_later(client)
    began = time.monotonic()
    with events(client, job_id) as (answer, _):
        lines = answer.iter_lines(chunk_size=None, decode_unicode=True)
        assert any(line.startswith(":") for line in lines)
    assert 14 < time.monotonic() - began < 40  # not each second, and more than once a minute
