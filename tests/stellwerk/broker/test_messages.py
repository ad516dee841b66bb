"""Wake-ups on Redis: what we write is what Celery itself would have written."""

import base64
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from celery import Celery

from stellwerk.bootstrap import Platform
from stellwerk.broker.calls import Grouping
from stellwerk.broker.messages import queue_key
from stellwerk.broker.publisher import CeleryPublisher, publishing_app
from stellwerk.broker.redis_publisher import RedisPublisher, is_plain_redis
from stellwerk.clock import new_id
from stellwerk.gate import Gate
from stellwerk.jobs.ports import Change, Wakeup

NAME = "diagnostics.echo"


@pytest.fixture
def celery(platform: Platform) -> Iterator[Celery]:
    app = publishing_app(platform.settings.broker())
    yield app
    app.close()


@pytest.mark.parametrize("attempt", [0, 1, 7])
@pytest.mark.parametrize("queue", ["short", "media"])
def test_a_message_is_equal_to_what_celery_sends(
    platform: Platform, celery: Celery, attempt: int, queue: str
) -> None:
    wakeup = Wakeup(new_id(), attempt, NAME, queue)
    grouping = Grouping(platform.settings, platform.runtime.registry)
    celerys = CeleryPublisher(celery, Gate(1.0), platform.live, grouping)
    assert isinstance(platform.runtime.publisher, RedisPublisher)

    celerys.publish([wakeup])
    platform.runtime.publisher.publish([wakeup])

    ours, theirs = (on_the_wire(raw) for raw in waiting(platform, queue))
    assert ours == theirs
    assert ours["headers"]["id"].startswith(str(wakeup.job_id))


def test_each_message_has_a_delivery_tag_of_its_own(platform: Platform) -> None:
    wakeup = Wakeup(new_id(), 0, NAME, "short")
    platform.runtime.publisher.publish([wakeup, wakeup])

    sent = [orjson.loads(raw) for raw in waiting(platform, "short")]
    assert len({message["properties"]["delivery_tag"] for message in sent}) == 2


def test_a_change_is_shown_with_the_wakeup_even_where_redis_forgot_the_script(
    platform: Platform,
) -> None:
    job_id = new_id()
    platform.live_client.redis.script_flush()

    change = Change(job_id, None, 1, is_final=False, document={"status": "queued"})
    platform.runtime.publisher.announce([change], [Wakeup(job_id, 0, NAME, "short")])

    shown = platform.live.read(job_id)
    assert shown
    assert shown.version == 1
    assert len(waiting(platform, "short")) == 1


@pytest.mark.parametrize(
    ("url", "is_plain"),
    [
        ("redis://:secret@localhost:6379/0", True),
        ("rediss://localhost", True),
        ("redis://one:6379/0;redis://two:6379/0", False),
        ("sentinel://localhost:26379", False),
        ("redis+cluster://localhost:6379", False),
        ("amqp://guest@localhost//", False),
    ],
)
def test_only_a_single_redis_server_is_written_to_directly(url: str, *, is_plain: bool) -> None:
    assert is_plain_redis(url) is is_plain


def waiting(platform: Platform, queue: str) -> list[bytes]:
    """Raw messages of a queue, newest first."""
    found: Any = platform.live_client.redis.lrange(queue_key(queue), 0, -1)
    return list(found)


def on_the_wire(raw: bytes) -> dict[str, Any]:
    """A message without what differs from sender to sender."""
    message: dict[str, Any] = orjson.loads(raw)
    message["body"] = orjson.loads(base64.b64decode(message["body"]))
    assert message["headers"].pop("origin").startswith("gen")
    assert message["properties"].pop("delivery_tag")
    message["properties"].pop("reply_to")  # where a result would go; nobody waits for one
    return message
