"""Server-sent events of one job (WHATWG HTML, section 9.2): `GET /api/v1/jobs/{id}/events`.

A stream starts where `Last-Event-ID` says, or with a `snapshot` of the job, and closes after the
job's `end`. Ids are `<version>-<sequence>`; those of whole documents end in `-0`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from stellwerk.errors import ErrorCode
from stellwerk.live.events import (
    BEFORE_ALL,
    Dismissed,
    EventId,
    Item,
    JobEvent,
    Listener,
    Notice,
)
from stellwerk.live.feed import EventFeed
from stellwerk_api.realtime.guests import Guest, Guests, Standing
from stellwerk_api.realtime.metrics import count_dropped, observe_delivery
from stellwerk_api.realtime.replies import handed_on, note_limits, own_headers
from stellwerk_api.realtime.upstream import JobAnswer, Upstream, caller_of

RETRY = "retry: 2000\n\n"  # milliseconds until a client connects again
HEARTBEAT = ": still here\n\n"
HEARTBEAT_S = 15.0
SEND_LIMIT_S = 20.0  # a client that takes nothing for so long is cut off

log = structlog.get_logger()


class JobStreams:
    """Opens streams of jobs."""

    def __init__(self, upstream: Upstream, feed: EventFeed, guests: Guests) -> None:
        self._upstream = upstream
        self._feed = feed
        self._guests = guests

    async def answer(self, job_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, 204 where nothing can follow `Last-Event-ID`, or Flask's refusal.

        Listens before it asks Flask, so that nothing falls in between. Raises LimitReached and
        Unavailable.
        """
        request = Request(scope, receive)
        asker = caller_of(request)
        with self._feed.listen(job_id) as listener:
            first = await self._upstream.event_job(asker, job_id)
            note_limits(scope, first.response)
            sent = _last_event_id(request)
            plain = _plain_answer(scope, first, sent)
            if plain:
                await plain(scope, receive, send)
                return
            self._feed.topics.know(job_id, first.version)
            guest = Guest(
                Standing.of(await self._upstream.standing(self._upstream.again(asker))),
                lambda code: listener.tell(Dismissed(code)),
            )
            stream = _JobStream(self._feed, listener, job_id, sent)
            with self._guests.entered(guest):
                response = EventStream(stream.chunks(first), own_headers(scope))
                await response(scope, receive, send)


def _plain_answer(scope: Scope, first: JobAnswer, sent: EventId) -> Response | None:
    """The answer where no stream is to follow."""
    if not first.is_found:
        return handed_on(first.response)
    if first.is_final and sent.version >= first.version:
        return Response(status_code=204, headers=own_headers(scope))
    return None


class _JobStream:
    def __init__(self, feed: EventFeed, listener: Listener, job_id: str, sent: EventId) -> None:
        self._feed = feed
        self._listener = listener
        self._job_id = job_id
        self._sent = sent
        self._is_over = False

    async def chunks(self, first: JobAnswer) -> AsyncIterator[str]:
        """What was missed, or a snapshot of the `first` answer; then what happens."""
        yield RETRY
        if self._sent > BEFORE_ALL:
            async for event in self._feed.history(self._job_id, self._sent):
                yield self._chunk(event)
        for event in first.events(self._job_id, after=self._sent):
            yield self._chunk(event)
        while not self._is_over:
            chunk = self._next(await self._listener.next(HEARTBEAT_S))
            if chunk:
                yield chunk

    def _next(self, item: Item | None) -> str:
        if isinstance(item, JobEvent):
            return self._chunk(item) if item.is_news_after(self._sent) else ""
        last = farewell(item)
        self._is_over |= last is not None
        return last or ("" if item else HEARTBEAT)

    def _chunk(self, event: JobEvent) -> str:
        self._sent = event.id
        self._is_over = event.type == "end"  # replayed ends of earlier runs are followed by more
        observe_delivery(time.monotonic() - event.heard_at)
        return event.written("sse", sse_text)


def farewell(item: Item | None) -> str | None:
    """The last chunk of a stream that is to end; None where it goes on."""
    if item is Notice.CLOSED:
        return ""
    if isinstance(item, Dismissed):
        return _dropped(item.code)
    return _dropped(ErrorCode.SLOW_READER) if item is Notice.OVERFLOW else None


def _dropped(code: str) -> str:
    count_dropped(code)
    return event_text("dropped", orjson.dumps({"code": code}))


class EventStream(StreamingResponse):
    """An answer of type text/event-stream that gives up on a client which takes nothing."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[str], headers: Mapping[str, str]) -> None:
        own = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
        super().__init__(content, headers={**headers, **own})

    async def stream_response(self, send: Send) -> None:
        """Send every chunk, each within SEND_LIMIT_S."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_LIMIT_S):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            log.info("a client that reads nothing was cut off")


def sse_text(event: JobEvent) -> str:
    """An event of a job on the wire."""
    return event_text(event.type, event.data, event_id=str(event.id))


def event_text(kind: str, data: bytes, *, event_id: str = "") -> str:
    """One event on the wire."""
    head = f"id: {event_id}\nevent: {kind}\n" if event_id else f"event: {kind}\n"
    lines = data.strip().splitlines()  # of bytes: text would be split at more than line ends
    return head + "".join(f"data: {line.decode()}\n" for line in lines) + "\n"


def _last_event_id(request: Request) -> EventId:
    try:
        return EventId.parse(request.headers.get("last-event-id", ""))
    except ValueError:  # none, or not one of ours: from the start
        return BEFORE_ALL
