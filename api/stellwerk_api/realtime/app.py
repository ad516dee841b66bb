"""The realtime application: sockets, streams and waits; all else is handed to Flask as it is."""

import asyncio
import hmac
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stellwerk.errors import NotAuthenticated, StellwerkError
from stellwerk.live.feed import EventFeed
from stellwerk.settings import Settings
from stellwerk_api.realtime.comparison import Comparison
from stellwerk_api.realtime.cors import RealtimeCors
from stellwerk_api.realtime.guests import Guests
from stellwerk_api.realtime.list_streams import ListStreams
from stellwerk_api.realtime.metrics import exposition
from stellwerk_api.realtime.peer import House
from stellwerk_api.realtime.replies import error_reply, identified
from stellwerk_api.realtime.sockets import Sockets
from stellwerk_api.realtime.streams import JobStreams
from stellwerk_api.realtime.upstream import Upstream
from stellwerk_api.realtime.waits import Waits
from stellwerk_api.realtime.wishes import read_wish, watched_job, watched_list

METRICS = "/api/v1/metrics/realtime"
SWEEP_EVERY_S = 1.0

log = structlog.get_logger()


def build_app(settings: Settings, feed: EventFeed) -> ASGIApp:
    """The application; it follows `feed` while it runs, and asks Flask at `web_address`.

    Raises ConfigurationError where no token for that is set.
    """
    app = _Realtime(settings, feed)
    return RealtimeCors(app, settings.cors_origins) if settings.cors_origins else app


class _Realtime:
    """Sockets are served without Starlette: its layers would cost each of them memory."""

    def __init__(self, settings: Settings, feed: EventFeed) -> None:
        self._feed = feed
        self._compare_every_s = settings.realtime_compare_every_s
        self._scrape_token = settings.scrape_token.get_secret_value()
        self._upstream = Upstream(settings.web_address, token=settings.realtime_secret())
        most, most_per_user = settings.realtime_max_listeners, settings.realtime_listeners_per_user
        self._guests = Guests(most=most, most_per_user=most_per_user)
        channels_max = settings.realtime_channels_per_socket
        self._sockets = Sockets(House(self._upstream, feed, self._guests, channels_max, most))
        self._streams = JobStreams(self._upstream, feed, self._guests)
        self._list_streams = ListStreams(self._upstream, feed, self._guests)
        self._waits = Waits(self._upstream, feed, max_waiters=settings.realtime_max_waiters)
        self._plain = Starlette(
            routes=[Mount("/", app=_Logged(self._answer))],
            lifespan=self._running,
            exception_handlers={
                StellwerkError: error_reply,
                ClientDisconnect: _nobody_there,
                Exception: error_reply,
            },
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._sockets.answer(scope, receive, send)
        else:
            if scope["type"] == "http":
                identified(scope)
            await self._plain(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        job_id = watched_job(request)
        if job_id:
            await self._streams.answer(job_id, scope, receive, send)
            return
        wanted = watched_list(request)
        if wanted:
            await self._list_streams.answer(wanted, scope, receive, send)
            return
        if scope["path"] == METRICS:
            response = self._metrics(request)
        else:
            response = await self._waits.answer(request, read_wish(request))
        await response(scope, receive, send)

    def _metrics(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not self._scrape_token or not hmac.compare_digest(
            given.encode(), self._scrape_token.encode()
        ):
            raise NotAuthenticated("Send the scrape token as a bearer token.")
        present = {
            "socket": len(self._sockets),
            "stream": len(self._guests) - self._sockets.known,
            "wait": self._waits.waiting,
            "channel": self._sockets.channels,
        }
        content = exposition(present, is_connected=self._feed.is_connected)
        return Response(content, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    @asynccontextmanager
    async def _running(self, _: Starlette) -> AsyncIterator[None]:
        every_s = self._compare_every_s
        comparison = Comparison(self._upstream, self._feed, self._guests, every_s=every_s)
        endless = (self._feed.run(), comparison.run(), self._sweep())
        tasks = [asyncio.create_task(_or_end(work)) for work in endless]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._feed.disconnect()
        await self._upstream.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            self._sockets.sweep()
            self._guests.dismiss_expired()


async def _or_end(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("a part of the realtime process failed; it ends, to be started again")
        signal.raise_signal(signal.SIGTERM)


class _Logged:
    """One line per answer, when it is complete."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_at, request_id = time.monotonic(), identified(scope)
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
                request_id=request_id,
                status=status,
                duration_ms=round((time.monotonic() - started_at) * 1000),
            )


async def _nobody_there(_: Request, error: Exception) -> Response:
    """The client hung up while it sent: nobody reads this."""
    log.debug("client hung up", reason=str(error))
    return Response(status_code=400)
