"""Runs the realtime application on uvicorn, and ends what it holds open when told to stop.

Sockets are closed by uvicorn itself, with 1012 (service restart).
"""

import asyncio
import logging
import resource
import socket
from types import FrameType

from uvicorn import Config, Server

from stellwerk.live.feed import EventFeed
from stellwerk.settings import Settings
from stellwerk_api.realtime.app import build_app
from stellwerk_api.realtime.messages import TEXT_MAX_BYTES

BACKLOG = 4096
STOP_S = 3
UNACKNOWLEDGED_MS = 30_000  # a peer that takes no data for so long is gone


def serve(settings: Settings) -> None:
    """Serve on 127.0.0.1:realtime_port until SIGTERM or SIGINT."""
    for name in ("httpx", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)  # one line per answer is enough
    _raise_file_limit()
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    feed = EventFeed(settings.redis(), timeout_s=settings.redis_timeout_s)
    config = Config(
        build_app(settings, feed),
        ws="websockets-sansio",
        ws_max_size=TEXT_MAX_BYTES,
        ws_per_message_deflate=False,  # its tables would cost each socket more than all the rest
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=STOP_S,
    )
    await _ClosingServer(config, feed).serve([_listening(settings.realtime_port)])


class _ClosingServer(Server):
    """Closes streams first: uvicorn waits for open answers, and those would not end."""

    def __init__(self, config: Config, feed: EventFeed) -> None:
        super().__init__(config)
        self._feed = feed
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._feed.close)
        super().handle_exit(sig, frame)


def _raise_file_limit() -> None:
    """Allow as many sockets as we may: the usual soft limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _listening(port: int) -> socket.socket:
    listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; inherited by accepted connections
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
    return listener
