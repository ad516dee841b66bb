"""Server-sent events of one job (WHATWG HTML, section 9.2): `GET /api/v1/jobs/{id}/events`.

A stream starts where `Last-Event-ID` says, or with a `snapshot` of the job, and closes after the
job's `end`. Ids are `<version>-<sequence>`; those of whole documents end in `-0`.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from stellwerk.errors import ErrorCode, Unavailable
from stellwerk.live.events import EventFeed, EventId, JobEvent, Listener, Notice
from stellwerk_api.realtime.replies import carried_over, handed_on
from stellwerk_api.realtime.upstream import JobAnswer, Upstream

RETRY = b"retry: 2000\n\n"  # milliseconds until a client connects again
HEARTBEAT = b": still here\n\n"
HEARTBEAT_S = 15.0
BLIND_POLL_S = (1.0, 2.0)  # between looks while Redis is away; spread, so that not all look at once
SEND_LIMIT_S = 20.0  # a client that takes nothing for so long is cut off
BEFORE_ALL = EventId(-1, 0)
REFUSALS = frozenset({401, 403, 404, 410})

log = structlog.get_logger()


class JobStreams:
    """Opens streams of jobs."""

    def __init__(self, upstream: Upstream, feed: EventFeed) -> None:
        self._upstream = upstream
        self._feed = feed

    async def answer(self, job_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, 204 where nothing can follow `Last-Event-ID`, or Flask's refusal.

        Listens before it asks Flask, so that nothing falls in between.
        """
        request = Request(scope, receive)
        with self._feed.listen(job_id) as listener:
            first = await self._upstream.job(request, job_id)
            stream = _JobStream(self._upstream, self._feed, listener, request, job_id)
            await stream.response(first)(scope, receive, send)


class _JobStream:
    def __init__(
        self,
        upstream: Upstream,
        feed: EventFeed,
        listener: Listener,
        request: Request,
        job_id: str,
    ) -> None:
        self._upstream = upstream
        self._feed = feed
        self._listener = listener
        self._request = request
        self._job_id = job_id
        self._sent = _last_event_id(request)
        self._is_over = False
        self._spoke_at = time.monotonic()

    def response(self, first: JobAnswer) -> Response:
        if not first.is_found:
            return handed_on(first.response)
        if first.is_final and self._sent.version >= first.version:
            return Response(status_code=204, headers=carried_over(first.response))
        return EventStream(self._chunks(first), carried_over(first.response))

    async def _chunks(self, first: JobAnswer) -> AsyncIterator[bytes]:
        yield RETRY
        if self._sent > BEFORE_ALL:
            async for event in self._feed.history(self._job_id, self._sent):
                yield self._chunk(event)
        for chunk in self._newer(first):
            yield chunk
        while not self._is_over:
            item = await self._listener.next(self._patience_s())
            if item is None and time.monotonic() - self._spoke_at >= HEARTBEAT_S:
                self._spoke_at = time.monotonic()
                yield HEARTBEAT
            for chunk in await self._after(item):
                yield chunk

    async def _after(self, item: JobEvent | Notice | None) -> list[bytes]:
        if isinstance(item, JobEvent):
            return [self._chunk(item)] if item.id > self._sent else []
        if item is Notice.CLOSED:
            self._is_over = True
            return []
        if item is Notice.OVERFLOW:
            return [self._dropped(ErrorCode.SLOW_READER)]
        return await self._look()

    async def _look(self) -> list[bytes]:
        """Compare with the ledger: an event may have been lost, or the caller's rights."""
        try:
            answer = await self._upstream.job(self._request, self._job_id)
        except Unavailable:  # it is being restarted
            return []
        if answer.response.status_code in REFUSALS:
            return [self._dropped(_code_of(answer))]
        return self._newer(answer)

    def _newer(self, answer: JobAnswer) -> list[bytes]:
        event_id = EventId(answer.version, 0)
        if self._sent >= event_id or not answer.is_found:
            return []
        kinds = ("snapshot", "end") if answer.is_final else ("snapshot",)
        document = answer.response.content
        return [self._chunk(JobEvent(event_id, kind, document)) for kind in kinds]

    def _chunk(self, event: JobEvent) -> bytes:
        self._sent = event.id
        self._is_over = event.type == "end"  # replayed ends of earlier runs are followed by more
        self._spoke_at = time.monotonic()
        return event_bytes(event.type, event.data, event_id=str(event.id))

    def _dropped(self, code: str) -> bytes:
        self._is_over = True
        return event_bytes("dropped", orjson.dumps({"code": code}))

    def _patience_s(self) -> float:
        if self._feed.is_connected:
            return HEARTBEAT_S
        return random.uniform(*BLIND_POLL_S)  # noqa: S311  only spreads load


class EventStream(StreamingResponse):
    """An answer of type text/event-stream that gives up on a client which takes nothing."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[bytes], headers: Mapping[str, str]) -> None:
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


def event_bytes(kind: str, data: bytes, *, event_id: str = "") -> bytes:
    """One event on the wire; `data` may have several lines."""
    lines = [f"id: {event_id}".encode()] if event_id else []
    lines.append(f"event: {kind}".encode())
    lines += [b"data: " + line for line in data.strip().splitlines()]
    return b"\n".join(lines) + b"\n\n"


def _last_event_id(request: Request) -> EventId:
    try:
        return EventId.parse(request.headers.get("last-event-id", ""))
    except ValueError:  # none, or not one of ours: from the start
        return BEFORE_ALL


def _code_of(answer: JobAnswer) -> str:
    try:
        return str(orjson.loads(answer.response.content)["error"]["code"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ErrorCode.NOT_AUTHENTICATED
