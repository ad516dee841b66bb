"""Keeps a connection to the switch: reconnects, signs in and subscribes again, by itself.

A connection of which nothing is heard is asked; where no answer comes, it is given up. So is one
on which commands are answered but no event arrives any more, by the switch's own heartbeat.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import structlog

from stellwerk.errors import ProviderDeferred, ProviderError
from stellwerk.providers.calls.freeswitch.connection import Connection, Socket, connect
from stellwerk.providers.calls.freeswitch.framing import Event, Frame

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what may take, in seconds."""

    first_retry_s: float = 0.25  # doubled with every failure ...
    longest_retry_s: float = 30.0  # ... up to this; half of each wait is left to chance
    steady_s: float = 5.0  # a connection that lasted so long was a good one
    silence_s: float = 10.0  # then it is asked whether it is still there
    heartbeats_s: float = 65.0  # without any event; the switch sends one every 20 seconds


class Supervision:
    """The present connection to the switch, if there is one, and why there is none."""

    def __init__(
        self, socket: Socket, events: Sequence[str], patience: Patience | None = None
    ) -> None:
        self.generation = 0  # of connections: what was sent over an earlier one may be unheard
        self.trouble = "not connected yet"
        self._socket = socket
        self._subscribe = " ".join(("event plain", *events))
        self._patience = patience or Patience()
        self._connection: Connection | None = None
        self._event_at = 0.0

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection with a subscription."""
        return self._connection is not None and not self._connection.ended.done()

    async def command(self, *lines: str) -> Frame:
        """As of `Connection`; raises ProviderDeferred where there is no connection."""
        if self._connection is None:
            raise ProviderDeferred(f"There is no connection to the switch: {self.trouble}.")
        return await self._connection.command(*lines)

    async def api(self, command: str) -> str:
        """As of `Connection`; raises ProviderDeferred where there is no connection."""
        return (await self.command(f"api {command}")).text

    async def run(self, hear: Callable[[Event], None], connected: Callable[[], None]) -> None:
        """Keep connected until cancelled; `connected` is called after each subscription."""
        failures = 0
        while True:
            began = monotonic()
            self.trouble = await self._one_connection(hear, connected)
            is_steady = monotonic() - began >= self._patience.steady_s
            failures = 0 if is_steady else failures + 1
            await asyncio.sleep(self._pause_s(failures))

    async def _one_connection(
        self, hear: Callable[[Event], None], connected: Callable[[], None]
    ) -> str:
        """Why there is none any more."""
        connection: Connection | None = None
        try:
            connection = await connect(self._socket, lambda event: self._note(event, hear))
            await self._settle(connection)
            connected()
            _log.info("esl.connected", generation=self.generation)
            await self._watch(connection)
            reason = connection.ended.result()
        except ProviderError as exc:
            reason = str(exc).rstrip(".")
        finally:
            self._connection = None
            if connection is not None:
                connection.end("it is no longer needed")
        _log.warning("esl.disconnected", reason=reason)
        return reason

    async def _settle(self, connection: Connection) -> None:
        reply = await connection.command(self._subscribe)
        if not reply.text.startswith("+OK"):
            connection.end("the switch refuses the subscription")
            raise ProviderDeferred("The switch refuses the subscription.")
        self.generation += 1
        self._event_at = monotonic()
        self._connection, self.trouble = connection, ""

    async def _watch(self, connection: Connection) -> None:
        while not connection.ended.done():
            await asyncio.wait({connection.ended}, timeout=self._patience.silence_s)
            now = monotonic()
            if now - self._event_at > self._patience.heartbeats_s:
                connection.end("no heartbeat of the switch")
            elif now - connection.heard_at >= self._patience.silence_s:
                await connection.api("strepoch")

    def _note(self, event: Event, hear: Callable[[Event], None]) -> None:
        self._event_at = monotonic()
        hear(event)

    def _pause_s(self, failures: int) -> float:
        doubled = self._patience.first_retry_s * float(1 << min(failures, 16))
        longest = min(self._patience.longest_retry_s, doubled)
        return longest * (0.5 + random.random() / 2)  # noqa: S311  spreads, guards nothing
