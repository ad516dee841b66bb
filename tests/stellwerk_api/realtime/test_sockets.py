"""WebSockets through the real edge, realtime and web processes."""

import re
from contextlib import ExitStack
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from embedded import wait_until
from engine import Engine
from front import Front
from full_stack import Client
from jobs_over_http import cancel, events, submit_for_later
from sockets import is_event, numbers_of, silent, talking, token_of
from stellwerk.bootstrap import Platform
from stellwerk.clock import utc_now
from stellwerk.identity import sessions as ledger
from stellwerk.identity.tokens import Tokens
from stellwerk.jobs.ports import Event
from stellwerk.live import keys
from stellwerk.live.events import EventId


def test_a_job_is_followed_from_its_snapshot_to_its_end(client: Client, engine: Engine) -> None:
    del engine
    job_id = client.submit("diagnostics.sleep", {"seconds": 1.5, "steps": 3})
    channel = f"job:{job_id}"
    with talking(client) as talk:
        found = [talk.subscribe(channel), *talk.hear_until(is_event("end"))]
        assert talk.hear() == {"type": "unsubscribed", "channel": channel, "reason": "ended"}
    assert found[0]["event"] == "snapshot"
    assert {event["channel"] for event in found} == {channel}
    assert found[-1]["data"]["status"] == "completed"
    ids = [EventId.parse(event["id"]) for event in found]
    assert ids == sorted(ids)


def test_what_was_missed_is_sent_from_the_last_event_on(client: Client) -> None:
    job_id = submit_for_later(client)
    with talking(client) as talk:
        seen = talk.subscribe(f"job:{job_id}")["id"]
    cancel(client, job_id)
    with talking(client) as talk:
        missed = talk.subscribe(f"job:{job_id}", last_event_id=seen)
        assert missed["event"] == "end"
        assert talk.hear()["reason"] == "ended"
        talk.say("subscribe", channel=f"job:{job_id}", last_event_id=missed["id"])
        assert [talk.hear()["type"] for _ in range(2)] == ["subscribed", "unsubscribed"]


def test_where_redis_forgot_what_was_missed_there_is_a_snapshot(
    client: Client, platform: Platform
) -> None:
    job_id = submit_for_later(client)
    with talking(client) as talk:
        seen = talk.subscribe(f"job:{job_id}")["id"]
    cancel(client, job_id)
    platform.live_client.redis.delete(keys.job_events(job_id), keys.job_status(job_id))
    with talking(client) as talk:
        assert talk.subscribe(f"job:{job_id}", last_event_id=seen)["event"] == "snapshot"
        assert talk.hear()["event"] == "end"


def test_a_change_that_no_event_told_is_found_in_the_ledger(
    client: Client, platform: Platform
) -> None:
    job_id = submit_for_later(client)
    with talking(client) as talk, talking(client) as other:
        first = talk.subscribe(f"job:{job_id}")
        other.subscribe(f"job:{job_id}")
        with platform.engine.begin() as connection:
            lost = "UPDATE jobs SET version = version + 1, message = 'lost' WHERE id = :id"
            connection.execute(text(lost), {"id": job_id})
        for found in (talk.hear(), other.hear()):
            assert (found["event"], found["data"]["message"]) == ("snapshot", "lost")
            assert EventId.parse(found["id"]) > EventId.parse(first["id"])


def test_ones_own_jobs_are_listed_and_then_followed(client: Client, front: Front) -> None:
    known = submit_for_later(client)
    stranger = Client(front.url).sign_up()
    with talking(client) as talk:
        listed = talk.subscribe("jobs")
        assert listed["event"] == "snapshot"
        assert [job["job_id"] for job in listed["data"]["items"]] == [known]
        submit_for_later(stranger)
        fresh = submit_for_later(client)
        told = talk.hear()
        assert (told["event"], told["data"]["job_id"]) == ("status", fresh)
        cancel(client, known)
        told = talk.hear()
        assert (told["channel"], told["event"]) == ("jobs", "end")
        assert told["data"]["job_id"] == known


def test_nothing_is_heard_after_unsubscribing(client: Client) -> None:
    job_id = submit_for_later(client)
    with talking(client) as talk:
        talk.subscribe(f"job:{job_id}")
        talk.say("unsubscribe", channel=f"job:{job_id}")
        assert talk.hear()["reason"] == "asked"
        cancel(client, job_id)
        talk.say("ping")
        assert talk.hear() == {"type": "pong"}


def test_somebody_elses_job_is_refused_as_if_there_were_none(client: Client, front: Front) -> None:
    channel = f"job:{submit_for_later(client)}"
    with talking(Client(front.url).sign_up()) as talk:
        talk.say("subscribe", channel=channel)
        refused = talk.hear()
        assert (refused["type"], refused["code"]) == ("error", "NOT_FOUND")
        assert refused["channel"] == channel
        talk.subscribe("jobs")  # the socket goes on


def test_an_api_key_opens_a_socket_and_one_that_may_not_read_does_not(client: Client) -> None:
    body = {"name": "socket", "scopes": ["read"]}
    key = client.expect(201, "POST", "/api-keys", json=body)["key"]
    with silent(client.url) as talk:
        talk.say("auth", token=key)
        assert talk.hear()["expires_at"] is None
    body = {"name": "submits", "scopes": ["diagnostics.*"]}
    key = client.expect(201, "POST", "/api-keys", json=body)["key"]
    with silent(client.url) as talk:
        talk.say("auth", token=key)
        assert talk.closed() == (4403, "NOT_PERMITTED")


@pytest.mark.parametrize(
    "first", [("auth", {"token": "nonsense"}), ("subscribe", {"channel": "jobs"})]
)
def test_whoever_does_not_say_who_they_are_is_closed(
    front: Front, first: tuple[str, dict[str, str]]
) -> None:
    with silent(front.url, "/ws") as talk:
        talk.say(first[0], **first[1])
        assert talk.hear()["code"] == "NOT_AUTHENTICATED"
        assert talk.closed() == (4401, "NOT_AUTHENTICATED")


def test_whoever_says_nothing_is_closed_after_ten_seconds(front: Front) -> None:
    with silent(front.url) as talk:
        assert talk.closed() == (4401, "NOT_AUTHENTICATED")


def soon_over(platform: Platform, client: Client, seconds: float) -> str:
    """A token of the client's user, whose session ends so soon."""
    user_id = client.expect(200, "GET", "/auth/me")["id"]
    expires_at = utc_now() + timedelta(seconds=seconds)
    with platform.runtime.sessions.begin() as session:
        session_id = ledger.start(session, user_id, expires_at)
    return Tokens(platform.settings.signing_key()).sign(user_id, session_id, expires_at)


def test_a_socket_ends_with_its_token_unless_it_sends_a_fresh_one(
    client: Client, platform: Platform
) -> None:
    with silent(client.url) as renewed, silent(client.url) as forgotten:
        token = soon_over(platform, client, 10)
        for talk in (renewed, forgotten):
            talk.say("auth", token=token)
            assert talk.hear()["type"] == "authenticated"
        renewed.subscribe("jobs")
        renewed.say("auth", token=token_of(client))
        assert renewed.hear()["type"] == "authenticated"
        assert forgotten.closed() == (4401, "TOKEN_EXPIRED")
        submit_for_later(client)
        assert renewed.hear()["event"] == "status"


def test_a_socket_ends_with_its_session(client: Client) -> None:
    with talking(client) as talk:
        assert client.request("POST", "/auth/logout").status_code == 204
        assert talk.closed() == (4401, "NOT_AUTHENTICATED")


def test_a_fresh_token_of_somebody_else_ends_the_socket(client: Client, front: Front) -> None:
    with talking(client) as talk:
        talk.say("auth", token=token_of(Client(front.url).sign_up()))
        assert talk.closed() == (4403, "NOT_PERMITTED")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("not json", "MALFORMED_REQUEST"),
        (b"{}", "MALFORMED_REQUEST"),
        ("[]", "MALFORMED_REQUEST"),
        ('{"type": "shout"}', "VALIDATION_FAILED"),
        ('{"type": ["auth"]}', "VALIDATION_FAILED"),
        ('{"type": "auth", "token": "two\\nlines"}', "VALIDATION_FAILED"),
        ('{"type": "ping", "loud": true}', "VALIDATION_FAILED"),
        ('{"type": "subscribe", "channel": "job:1"}', "VALIDATION_FAILED"),
        ('{"type": "subscribe", "channel": "jobs", "last_event_id": "1-0"}', "VALIDATION_FAILED"),
    ],
)
def test_wrong_messages_are_answered_and_several_close(
    front: Front, message: str | bytes, code: str
) -> None:
    with silent(front.url) as talk:
        for _ in range(5):
            talk.connection.send(message)
            said = talk.hear()
            assert (said["type"], said["code"]) == ("error", code)
        assert talk.closed() == (4400, "MALFORMED_REQUEST")


def test_a_message_that_is_too_long_closes(front: Front) -> None:
    with silent(front.url) as talk:
        talk.say("auth", token="x" * 20_000)
        assert talk.closed()[0] == 1009


def test_channels_of_a_socket_are_limited_and_each_is_heard_once(client: Client) -> None:
    channels = [f"job:{submit_for_later(client)}" for _ in range(5)]
    with talking(client) as talk:
        for channel in channels[:4]:
            talk.subscribe(channel)
        talk.say("subscribe", channel=channels[4])
        assert talk.hear()["code"] == "LIMIT_REACHED"
        talk.say("subscribe", channel=channels[0])
        assert talk.hear()["code"] == "CONFLICT"


def test_streams_and_sockets_of_a_user_are_limited(client: Client) -> None:
    job_id = submit_for_later(client)
    with ExitStack() as several:
        for _ in range(8):
            several.enter_context(talking(client))
        with silent(client.url) as one_more:
            one_more.say("auth", token=token_of(client))
            assert one_more.hear()["code"] == "LIMIT_REACHED"
            assert one_more.closed() == (4429, "LIMIT_REACHED")
        with events(client, job_id) as (answer, _):
            assert answer.status_code == 429
            assert answer.json()["error"]["code"] == "LIMIT_REACHED"
            assert answer.headers["Retry-After"]


def test_a_reader_that_does_not_keep_up_is_closed_and_others_hear_everything(
    client: Client, front: Front, platform: Platform
) -> None:
    job_id = submit_for_later(client)
    direct = Client(front.realtime_url, client.session)
    filler = "x" * 100_000
    before = slow_readers(front)
    with talking(direct, max_queue=1) as slow, talking(direct, max_queue=None) as quick:
        slow.subscribe(f"job:{job_id}")
        version = EventId.parse(quick.subscribe(f"job:{job_id}")["id"]).version
        for number in range(1, 501):
            event = Event(UUID(job_id), version, number, "token", {"text": filler})
            platform.live.emit(event, None)
            assert EventId.parse(quick.hear()["id"]).sequence == number
            if slow_readers(front) > before:
                break  # who takes nothing for five seconds more is not told why
        assert slow.closed() == (4408, "SLOW_READER")


def slow_readers(front: Front) -> int:
    """How many were dropped for it."""
    found = re.findall(r'dropped_total{code="SLOW_READER"} (\d+)', numbers_of(front))
    return int(found[0]) if found else 0


def test_elsewhere_there_is_no_socket(front: Front) -> None:
    with pytest.raises(Exception, match="403"), silent(front.url, "/api/v1/jobs"):
        pass


def test_the_process_tells_its_numbers_to_whoever_has_the_scrape_token(
    client: Client, front: Front
) -> None:
    with talking(client) as talk:
        talk.subscribe("jobs")
        # Those of the test before may still be closing.
        wait_until(lambda: 'stellwerk_realtime_open{kind="socket"} 1.0' in numbers_of(front))
        numbers = numbers_of(front)
    assert 'stellwerk_realtime_open{kind="channel"} 1.0' in numbers
    assert "stellwerk_realtime_delivery_seconds_bucket" in numbers
    assert "stellwerk_realtime_events_up 1.0" in numbers
    assert client.expect(401, "GET", "/metrics/realtime")["error"]["code"] == "NOT_AUTHENTICATED"
