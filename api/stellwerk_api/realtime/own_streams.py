"""Server-sent events of all of the caller's jobs: `GET /api/v1/jobs/events`.

A stream starts with a `snapshot` of the newest jobs, as `GET /jobs` lists them, and tells every
change after that. Events have no ids: whoever connects again gets the list again.
"""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

import orjson
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from stellwerk.errors import StellwerkError
from stellwerk.live.events import Dismissed, JobEvent, Listener, Notice
from stellwerk.live.feed import EventFeed
from stellwerk.live.topics import of_user
from stellwerk_api.realtime.guests import Guest, Guests, Standing
from stellwerk_api.realtime.replies import handed_on, note_limits, own_headers
from stellwerk_api.realtime.streams import (
    HEARTBEAT,
    HEARTBEAT_S,
    RETRY,
    EventStream,
    event_text,
    farewell,
)
from stellwerk_api.realtime.upstream import Headers, Upstream, caller_of

ASK_AGAIN_S = 2.0


class OwnStreams:
    """Opens streams of users' own jobs."""

    def __init__(self, upstream: Upstream, feed: EventFeed, guests: Guests) -> None:
        self._upstream = upstream
        self._feed = feed
        self._guests = guests

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, or Flask's refusal; raises ApiRefused, LimitReached and Unavailable."""
        asker = caller_of(Request(scope, receive))
        told = await self._upstream.listener(asker)
        if told.status_code != HTTPStatus.OK:
            await handed_on(told)(scope, receive, send)
            return
        note_limits(scope, told)
        standing = Standing.of(orjson.loads(told.content))
        asker = self._upstream.again(asker)
        with self._feed.listen(of_user(standing.user_id)) as listener:
            jobs = await self._upstream.own_jobs(asker)
            guest = Guest(standing, lambda code: listener.tell(Dismissed(code)))
            with self._guests.entered(guest):
                chunks = self._chunks(asker, listener, jobs)
                await EventStream(chunks, own_headers(scope))(scope, receive, send)

    async def _chunks(self, asker: Headers, listener: Listener, jobs: bytes) -> AsyncIterator[str]:
        yield RETRY + event_text("snapshot", jobs)
        while True:
            item = await listener.next(HEARTBEAT_S)
            last = farewell(item)
            if last is not None:
                yield last
                return
            if item is Notice.GAP:
                yield event_text("snapshot", await self._anew(asker))
            else:
                yield item.written("own sse", _text) if isinstance(item, JobEvent) else HEARTBEAT

    async def _anew(self, asker: Headers) -> bytes:
        while True:
            try:
                return await self._upstream.own_jobs(asker)
            except StellwerkError:  # web is being restarted; a right that ended is seen elsewhere
                await asyncio.sleep(ASK_AGAIN_S)


def _text(event: JobEvent) -> str:
    """A job's change; `snapshot` means the whole list here."""
    return event_text("status" if event.type == "snapshot" else event.type, event.data)
