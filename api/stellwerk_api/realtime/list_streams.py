"""Server-sent events of a list: of the caller's jobs (`/api/v1/jobs/events`), or of modules.

A stream starts with a `snapshot` of the list, as web lists it, and tells every change after that.
Events have no ids: whoever connects again gets the list again.
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
from stellwerk_api.realtime.guests import Guest, Guests, Standing
from stellwerk_api.realtime.lists import LiveList
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


class ListStreams:
    """Opens streams of lists."""

    def __init__(self, upstream: Upstream, feed: EventFeed, guests: Guests) -> None:
        self._upstream = upstream
        self._feed = feed
        self._guests = guests

    async def answer(self, wanted: LiveList, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, or Flask's refusal; raises ApiRefused, LimitReached and Unavailable."""
        asker = caller_of(Request(scope, receive))
        told = await self._upstream.listener(asker)
        if told.status_code != HTTPStatus.OK:
            await handed_on(told)(scope, receive, send)
            return
        note_limits(scope, told)
        standing = Standing.of(orjson.loads(told.content))
        asker = self._upstream.again(asker)
        with self._feed.listen(wanted.topic(standing.user_id)) as listener:
            content = await self._read(wanted, asker)
            guest = Guest(standing, lambda code: listener.tell(Dismissed(code)))
            with self._guests.entered(guest):
                chunks = self._chunks(wanted, asker, listener, content)
                await EventStream(chunks, own_headers(scope))(scope, receive, send)

    async def _chunks(
        self, wanted: LiveList, asker: Headers, listener: Listener, content: bytes
    ) -> AsyncIterator[str]:
        yield RETRY + event_text("snapshot", content)
        while True:
            item = await listener.next(HEARTBEAT_S)
            last = farewell(item)
            if last is not None:
                yield last
                return
            if item is Notice.GAP:
                yield event_text("snapshot", await self._anew(wanted, asker))
            else:
                yield _text(item, wanted) if isinstance(item, JobEvent) else HEARTBEAT

    async def _anew(self, wanted: LiveList, asker: Headers) -> bytes:
        while True:
            try:
                return await self._read(wanted, asker)
            except StellwerkError:  # web is being restarted; a right that ended is seen elsewhere
                await asyncio.sleep(ASK_AGAIN_S)

    async def _read(self, wanted: LiveList, asker: Headers) -> bytes:
        return await wanted.read(lambda path: self._upstream.listed(path, asker))


def _text(event: JobEvent, wanted: LiveList) -> str:
    """A change of something in the list."""
    return event.written(
        f"{wanted.channel} sse", lambda event: event_text(wanted.kind(event), event.data)
    )
