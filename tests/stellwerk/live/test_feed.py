"""The event feed on a real Valkey, fed by the real live status."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from embedded import running_valkey
from servers import server_at
from stellwerk.bootstrap import Platform
from stellwerk.clock import new_id
from stellwerk.gate import Gate
from stellwerk.jobs.ports import Change, Event
from stellwerk.live import feed as feed_module
from stellwerk.live.client import LiveClient
from stellwerk.live.events import QUEUE_LIMIT, EventId, JobEvent, Listener, Notice
from stellwerk.live.feed import EventFeed
from stellwerk.live.status import LiveStatus
from stellwerk.live.topics import of_user

SOON_S = 60.0


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stands still only because the machine is busy is given its time."""
    monkeypatch.setattr(feed_module, "SILENCE_LIMIT_S", 60.0)


def change(job_id: UUID, version: int, *, is_final: bool = False) -> Change:
    return Change(job_id, None, version, is_final, {"job_id": str(job_id), "version": version})


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


@asynccontextmanager
async def running_feed(url: str, timeout_s: float = 30.0) -> AsyncIterator[EventFeed]:
    feed = EventFeed(url, timeout_s=timeout_s)
    task = asyncio.create_task(feed.run())
    try:
        with feed.listen("anything") as listener:
            assert await listener.next(SOON_S) is Notice.GAP
        assert feed.is_connected
        yield feed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await feed.disconnect()


def test_a_listener_gets_the_events_of_its_job_alone_in_their_order(
    platform: Platform, redis_url: str
) -> None:
    mine, other = new_id(), new_id()

    async def scenario() -> None:
        async with running_feed(redis_url) as feed:
            with feed.listen(str(mine)) as listener:
                platform.live.show([change(other, 1), change(mine, 1)])
                platform.live.emit(Event(mine, 1, 1, "token", {"text": "Hal lo"}), None)
                platform.live.show([change(mine, 2, is_final=True)])
                heard = [await listener.next(SOON_S) for _ in range(3)]
        assert [event.type for event in heard if isinstance(event, JobEvent)] == [
            "status",
            "token",
            "end",
        ]
        ids = [str(event.id) for event in heard if isinstance(event, JobEvent)]
        assert ids == ["1-0", "1-1", "2-0"]

    run(scenario)


def test_the_platforms_own_jobs_are_told_to_those_who_ask_for_them_alone(
    platform: Platform, redis_url: str
) -> None:
    job = new_id()

    async def scenario() -> None:
        async with running_feed(redis_url) as feed:
            with feed.listen(of_user(7)) as owner, feed.listen(str(job)) as listener:
                own = Change(job, 7, 1, is_final=False, document={}, is_internal=True)
                platform.live.show([own, Change(new_id(), 7, 2, is_final=False, document={})])
                heard = [await owner.next(SOON_S), await listener.next(SOON_S)]
        assert [event.id.version for event in heard if isinstance(event, JobEvent)] == [2, 1]

    run(scenario)
    shown = platform.live.read(job)
    assert shown
    assert shown.owner_id == 7


def test_history_gives_what_followed_an_id(platform: Platform, redis_url: str) -> None:
    job = new_id()
    for version in range(1, 251):
        platform.live.show([change(job, version)])

    async def scenario() -> None:
        async with running_feed(redis_url) as feed:
            kept = [event async for event in feed.history(str(job), EventId(5, 0))]
            assert [event.id.version for event in kept] == list(range(6, 251))
            last = [event async for event in feed.history(str(job), EventId(250, 0))]
            assert last == []

    run(scenario)


def test_history_is_empty_where_the_stream_starts_later(platform: Platform, redis_url: str) -> None:
    job = new_id()
    platform.live.show([change(job, 7)])

    async def scenario() -> None:
        async with running_feed(redis_url) as feed:
            assert [event async for event in feed.history(str(job), EventId(3, 0))] == []
            assert [event async for event in feed.history(str(new_id()), EventId(3, 0))] == []

    run(scenario)


def test_a_listener_that_falls_behind_is_dropped_and_the_others_are_not(
    platform: Platform, redis_url: str
) -> None:
    job = new_id()

    async def scenario() -> None:
        async with running_feed(redis_url) as feed:
            with feed.listen(str(job)) as slow, feed.listen(str(job)) as quick:
                platform.live.show([change(job, version) for version in range(1, QUEUE_LIMIT + 10)])
                for version in range(1, QUEUE_LIMIT + 10):
                    event = await quick.next(SOON_S)
                    assert isinstance(event, JobEvent)
                    assert event.id.version == version
                assert await slow.next(SOON_S) is Notice.OVERFLOW

    run(scenario)


def test_closing_tells_present_and_future_listeners(redis_url: str) -> None:
    async def scenario() -> None:
        async with running_feed(redis_url) as feed:
            with feed.listen("present") as present:
                feed.close()
                assert await present.next(SOON_S) is Notice.CLOSED
            with feed.listen("future") as future:
                assert await future.next(SOON_S) is Notice.CLOSED

    run(scenario)


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[str]:
    with running_valkey(tmp_path) as url:
        yield url


async def gap(listener: Listener, feed: EventFeed, *, is_connected: bool) -> None:
    """The one that comes with the connection's loss, or its return; a busy machine makes more."""
    assert await listener.next(SOON_S) is Notice.GAP
    while feed.is_connected != is_connected:
        assert await listener.next(SOON_S) is Notice.GAP


async def next_event(listener: Listener) -> JobEvent:
    """Behind gaps that only a busy machine makes."""
    while (heard := await listener.next(SOON_S)) is Notice.GAP:
        pass
    assert isinstance(heard, JobEvent)
    return heard


def test_a_frozen_redis_is_noticed_and_so_is_its_return(
    own_valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "SILENCE_LIMIT_S", 1.0)  # else three seconds
    job = new_id()
    client = LiveClient(own_valkey, timeout_s=0.5, gate=Gate(0.1))
    live = LiveStatus(client, ttl_s=60, events_kept=100)
    server = server_at(own_valkey)

    async def scenario() -> None:
        async with running_feed(own_valkey, timeout_s=0.5) as feed:
            with feed.listen(str(job)) as listener:
                server.send_signal(signal.SIGSTOP)
                try:
                    await gap(listener, feed, is_connected=False)
                    assert [event async for event in feed.history(str(job), EventId(0, 0))] == []
                finally:
                    server.send_signal(signal.SIGCONT)
                await gap(listener, feed, is_connected=True)
                live.show([change(job, 3, is_final=True)])
                assert (await next_event(listener)).type == "end"

    run(scenario)
    client.close()
