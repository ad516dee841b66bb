"""The realtime application: streams and waits; every other request is handed to Flask as it is."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stellwerk.errors import StellwerkError
from stellwerk.live.events import EventFeed
from stellwerk.settings import Settings
from stellwerk_api.realtime.replies import error_reply
from stellwerk_api.realtime.streams import JobStreams
from stellwerk_api.realtime.upstream import Upstream
from stellwerk_api.realtime.waits import Waits
from stellwerk_api.realtime.wishes import read_wish, watched_job

log = structlog.get_logger()


def build_app(settings: Settings, feed: EventFeed) -> Starlette:
    """The application; it follows `feed` while it runs, and asks Flask at `web_address`."""
    upstream = Upstream(settings.web_address)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(feed.run())
        yield
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await feed.disconnect()
        await upstream.close()

    waits = Waits(upstream, feed, max_waiters=settings.realtime_max_waiters)
    endpoint = _Logged(_Realtime(waits, JobStreams(upstream, feed)))
    return Starlette(
        routes=[Mount("/", app=endpoint)],
        lifespan=lifespan,
        exception_handlers={StellwerkError: error_reply, ClientDisconnect: _nobody_there},
    )


class _Realtime:
    def __init__(self, waits: Waits, streams: JobStreams) -> None:
        self._waits = waits
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        job_id = watched_job(request)
        if job_id:
            await self._streams.answer(job_id, scope, receive, send)
            return
        response = await self._waits.answer(request, read_wish(request))
        await response(scope, receive, send)


class _Logged:
    """One line per answer, when it is complete."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_at = time.monotonic()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            log.info(
                "answered",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=round((time.monotonic() - started_at) * 1000),
            )


async def _nobody_there(_: Request, error: Exception) -> Response:
    """The client hung up while it sent: nobody reads this."""
    log.debug("client hung up", reason=str(error))
    return Response(status_code=400)
