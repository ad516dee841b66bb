"""What one client was not sent yet: bounded, and sent at once where the client keeps up."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from starlette.types import Send

from stellwerk_api.realtime.eager import begun
from stellwerk_api.realtime.metrics import observe_delivery

MESSAGES_MAX = 256
LETTERS_MAX = 1024 * 1024
CLOSE_LIMIT_S = 5.0  # a client that takes nothing for so long is not told why it is cut off


class Outbox:
    """Messages in their order; `overflowed` is called when one finds no room.

    A task exists only while the client's socket takes no more: one for each client would cost
    memory all day, and one for each message a third of the time it takes to tell everybody.
    """

    __slots__ = (
        "_is_over",
        "_letters",
        "_oldest_at",
        "_overflowed",
        "_send",
        "_sending",
        "_texts",
        "stuck_since",
    )

    def __init__(self, send: Send, overflowed: Callable[[], None]) -> None:
        self._send = send
        self._overflowed = overflowed
        self._texts: list[str] = []
        self._letters = 0
        self._sending: asyncio.Task[None] | None = None
        self._oldest_at = 0.0
        self._is_over = False
        self.stuck_since = 0.0  # when what is being sent was begun (monotonic); 0: nothing is

    def put(self, text: str, *, heard_at: float = 0.0) -> None:
        """Append a message; `heard_at` (monotonic) is when the event in it came."""
        if self._is_over:
            return
        if len(self._texts) >= MESSAGES_MAX or (self._letters > LETTERS_MAX and self._texts):
            self._overflowed()
            return
        if self._sending is None:
            self._begin(text, heard_at)
            return
        self._texts.append(text)
        self._letters += len(text)
        self._oldest_at = self._oldest_at or heard_at

    async def emptied(self) -> None:
        """Wait until everything is handed to the socket, or nothing will be."""
        if self._sending:
            await asyncio.wait({self._sending})

    async def close(self, code: int, reason: str, *, at_once: bool) -> None:
        """Close the socket, after what is still to be sent unless `at_once`."""
        if self._sending and not at_once:
            await asyncio.wait({self._sending}, timeout=CLOSE_LIMIT_S)
        self.drop()
        with suppress(OSError, RuntimeError, TimeoutError):  # it is gone, or closed already
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def drop(self) -> None:
        """Forget everything, for good."""
        self._is_over = True
        self._texts.clear()
        if self._sending:
            self._sending.cancel()

    def _begin(self, text: str, heard_at: float) -> None:
        self._oldest_at = heard_at
        rest = begun(self._flush(text))
        if rest is not None:
            self.stuck_since = time.monotonic()
            self._sending = asyncio.create_task(rest)

    async def _flush(self, text: str) -> None:
        try:
            await self._send({"type": "websocket.send", "text": text})
            while self._texts:
                text = self._texts.pop(0)
                self._letters -= len(text)
                self.stuck_since = time.monotonic()
                await self._send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError):  # the client has gone, and its socket's task will hear it
            self.drop()
        finally:
            self._sending = None
            self.stuck_since = 0.0
        if self._oldest_at:
            observe_delivery(time.monotonic() - self._oldest_at)
            self._oldest_at = 0.0
