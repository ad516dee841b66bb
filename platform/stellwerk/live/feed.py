"""Events of jobs as they happen: one Redis subscription per process, fanned out by topic.

asyncio only. What Redis loses is not lost: after a gap, and wherever a job stays silent, somebody
compares with the ledger and calls `topics.found`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from stellwerk.live import keys
from stellwerk.live.events import EventId, JobEvent, Listener, Notice
from stellwerk.live.topics import Topics

PAGE = 100  # events read from a stream at once
PING_EVERY_S = 1.0
SILENCE_LIMIT_S = 3.0  # a subscription that does not even answer pings for so long is dead
RECONNECT_PAUSE_S = 0.5

log = structlog.get_logger()


class EventFeed:
    """The process's one subscription; `run` keeps it alive, `listen` taps it."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._redis: Redis = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),  # `run` decides when to try again
            protocol=2,
        )
        self._problem = ""
        self.topics = Topics()
        self.is_connected = False
        self.gap = asyncio.Event()  # set when events may have been missed; its reader clears it

    async def run(self) -> None:
        """Stay subscribed until cancelled."""
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await self._follow(subscription)
            except (RedisError, OSError) as exc:
                self._leave(str(exc) or type(exc).__name__)
            await asyncio.sleep(RECONNECT_PAUSE_S)

    @contextmanager
    def listen(self, topic: str) -> Iterator[Listener]:
        """Receive a topic's events from now on."""
        listener = Listener()
        self.topics.attach(topic, listener)
        try:
            yield listener
        finally:
            self.topics.detach(topic, listener)

    async def history(self, job_id: str, after: EventId) -> AsyncIterator[JobEvent]:
        """Kept events after an id, oldest first; none where Redis no longer knows that id's time.

        That is: where the stream is gone, starts later, or Redis does not answer.
        """
        try:
            oldest = await self._page(job_id, "-", count=1)
            if not oldest or oldest[0].id > after:
                return
            while page := await self._page(job_id, f"({after}", count=PAGE):
                for event in page:
                    after = event.id
                    yield event
        except (RedisError, OSError) as exc:
            log.warning("kept events cannot be read", reason=str(exc) or type(exc).__name__)

    def close(self) -> None:
        """Tell every listener, present and future, that the process is stopping."""
        self.topics.tell_all(Notice.CLOSED)

    async def disconnect(self) -> None:
        """Give the connections back."""
        await self._redis.aclose()

    async def _follow(self, subscription: PubSub) -> None:
        await subscription.subscribe(keys.EVENTS_CHANNEL)
        heard_at = time.monotonic()
        while time.monotonic() - heard_at < SILENCE_LIMIT_S:
            message = await subscription.get_message(timeout=PING_EVERY_S)
            if message is None:
                await subscription.ping()
                continue
            self._enter()
            if message["type"] == "message":
                self.topics.deliver(_of_message(message["data"]))
            heard_at = time.monotonic()
            await asyncio.sleep(0)  # a burst read at once must not fill the queues of the awake
        raise TimeoutError("no answer to pings")

    async def _page(self, job_id: str, start: str, *, count: int) -> list[JobEvent]:
        key = keys.job_events(job_id)
        entries: Any = await self._redis.xrange(key, min=start, count=count)
        return [_of_entry(job_id, entry_id, fields) for entry_id, fields in entries]

    def _enter(self) -> None:
        if not self.is_connected:
            self.is_connected, self._problem = True, ""
            log.info("subscribed to job events")
            self._tell_of_gap()

    def _leave(self, reason: str) -> None:
        if reason != self._problem:
            log.warning("job events are out of reach, asking the ledger instead", reason=reason)
            self._problem = reason
        if self.is_connected:
            self.is_connected = False
            self._tell_of_gap()

    def _tell_of_gap(self) -> None:
        self.gap.set()
        self.topics.tell_all(Notice.GAP)


def _of_message(message: bytes) -> JobEvent:
    """Read `<job id> <owner, or -> <event id> <type> <data>`."""
    job_id, owner, event_id, kind, data = message.split(b" ", 4)
    return JobEvent(
        job_id.decode(),
        owner.decode().replace("-", ""),
        EventId.parse(event_id.decode()),
        kind.decode(),
        data,
    )


def _of_entry(job_id: str, entry_id: bytes, fields: dict[bytes, bytes]) -> JobEvent:
    event_id = EventId.parse(entry_id.decode())
    return JobEvent(job_id, "", event_id, fields[b"type"].decode(), fields[b"data"])
