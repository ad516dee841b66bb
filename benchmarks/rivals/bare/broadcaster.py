"""The least a broadcast to many WebSockets can cost with Starlette on uvicorn, from Redis."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

CHANNEL = "bare"

sockets: set[WebSocket] = set()


async def follow() -> None:
    """Send every message to everybody."""
    redis = Redis.from_url(os.environ["REDIS_URL"])
    async with redis.pubsub() as subscription:
        await subscription.subscribe(CHANNEL)
        async for message in subscription.listen():
            if message["type"] == "message":
                text = message["data"].decode()
                for socket in list(sockets):
                    await socket.send_text(text)


@asynccontextmanager
async def running(_: Starlette) -> AsyncIterator[None]:
    """Follow Redis for as long as the server runs."""
    following = asyncio.create_task(follow())
    yield
    following.cancel()


async def listen(socket: WebSocket) -> None:
    """Hold a socket open."""
    await socket.accept()
    sockets.add(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        sockets.discard(socket)


app = Starlette(routes=[WebSocketRoute("/ws", listen)], lifespan=running)
