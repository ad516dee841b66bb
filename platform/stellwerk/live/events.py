"""Events of jobs as they happen: one Redis subscription per process, fanned out by job.

asyncio only. What Redis loses is not lost: listeners are told of gaps (`Notice.GAP`) and then
look into the ledger.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple, Self

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from stellwerk.live import keys

QUEUE_LIMIT = 256  # events one listener may be behind
PAGE = 100  # events read from a stream at once
PING_EVERY_S = 1.0
SILENCE_LIMIT_S = 3.0  # a subscription that does not even answer pings for so long is dead
RECONNECT_PAUSE_S = 0.5

log = structlog.get_logger()


class EventId(NamedTuple):
    """`<version>-<sequence>`: grows within a job, and is the id in its Redis stream and in SSE."""

    version: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.version}-{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `7-0`; raises ValueError."""
        version, _, sequence = text.partition("-")
        return cls(int(version), int(sequence))


@dataclass(frozen=True, slots=True)
class JobEvent:
    """`data` is JSON; events of type `status` and `end` carry the whole job document."""

    id: EventId
    type: str
    data: bytes


class Notice(Enum):
    """What a listener is told besides events."""

    GAP = auto()  # events may have been missed, or will be: compare with the ledger
    OVERFLOW = auto()  # it was too slow; nothing follows
    CLOSED = auto()  # the process is stopping; nothing follows


class Listener:
    """One client's bounded queue of one job's events."""

    def __init__(self, limit: int = QUEUE_LIMIT) -> None:
        self._queue: asyncio.Queue[JobEvent | Notice] = asyncio.Queue(limit)
        self._is_over = False

    def tell(self, item: JobEvent | Notice) -> None:
        """Append; a full queue is replaced by OVERFLOW."""
        if self._is_over:
            return
        if self._queue.full():
            item = Notice.OVERFLOW
        if item in {Notice.OVERFLOW, Notice.CLOSED}:
            self._is_over = True
            while not self._queue.empty():
                self._queue.get_nowait()
        self._queue.put_nowait(item)

    async def next(self, timeout_s: float) -> JobEvent | Notice | None:
        """The next item; None where there was none within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._queue.get()
        except TimeoutError:
            return None


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
        self._listeners: dict[str, set[Listener]] = defaultdict(set)
        self._is_closed = False
        self._problem = ""
        self.is_connected = False

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
    def listen(self, job_id: str) -> Iterator[Listener]:
        """Receive a job's events from now on."""
        listener = Listener()
        self._listeners[job_id].add(listener)
        if self._is_closed:
            listener.tell(Notice.CLOSED)
        try:
            yield listener
        finally:
            self._listeners[job_id].discard(listener)
            if not self._listeners[job_id]:
                del self._listeners[job_id]

    async def history(self, job_id: str, after: EventId) -> AsyncIterator[JobEvent]:
        """Kept events after an id, oldest first; none where Redis no longer knows that id's time.

        That is: where the stream is gone, starts later, or Redis does not answer.
        """
        key = keys.job_events(job_id)
        try:
            oldest = await self._page(key, "-", count=1)
            if not oldest or oldest[0].id > after:
                return
            while page := await self._page(key, f"({after}", count=PAGE):
                for event in page:
                    after = event.id
                    yield event
        except (RedisError, OSError) as exc:
            log.warning("kept events cannot be read", reason=str(exc) or type(exc).__name__)

    def close(self) -> None:
        """Tell every listener, present and future, that the process is stopping."""
        self._is_closed = True
        self._tell_all(Notice.CLOSED)

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
            heard_at = time.monotonic()
            self._enter()
            self._deliver(message)
            await asyncio.sleep(0)  # a burst read at once must not fill the queues of the awake
        raise TimeoutError("no answer to pings")

    async def _page(self, key: str, start: str, *, count: int) -> list[JobEvent]:
        entries: Any = await self._redis.xrange(key, min=start, count=count)
        return [_of_entry(entry_id, fields) for entry_id, fields in entries]

    def _deliver(self, message: dict[str, Any]) -> None:
        if message["type"] != "message":
            return
        job_id, event_id, kind, data = message["data"].split(b" ", 3)
        listeners = self._listeners.get(job_id.decode())
        if not listeners:
            return
        event = JobEvent(EventId.parse(event_id.decode()), kind.decode(), data)
        for listener in listeners:
            listener.tell(event)

    def _enter(self) -> None:
        if not self.is_connected:
            self.is_connected, self._problem = True, ""
            log.info("subscribed to job events")
            self._tell_all(Notice.GAP)

    def _leave(self, reason: str) -> None:
        if reason != self._problem:
            log.warning("job events are out of reach, polling instead", reason=reason)
            self._problem = reason
        if self.is_connected:
            self.is_connected = False
            self._tell_all(Notice.GAP)

    def _tell_all(self, notice: Notice) -> None:
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.tell(notice)


def _of_entry(entry_id: bytes, fields: dict[bytes, bytes]) -> JobEvent:
    return JobEvent(EventId.parse(entry_id.decode()), fields[b"type"].decode(), fields[b"data"])
