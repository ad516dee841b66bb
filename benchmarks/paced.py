"""Load at a fixed rate, whatever the server makes of it (an open loop).

A request counts from the moment it was due, not from when it could be sent: a server that stalls
is not forgiven the requests that piled up meanwhile. One that falls behind by more than a
patience is spared the rest: those are counted, and are neither answers nor refusals.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from benchmarks.distribution import milliseconds
from benchmarks.exchange import Request, status_and_length

LEAD_S = 0.2
PATIENCE_S = 5.0
OK = range(200, 400)
HEAD_END = b"\r\n\r\n"


@dataclass(slots=True)
class Paced:
    """What came of it; durations in seconds, of requests that were carried out."""

    durations_s: dict[str, list[float]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    not_sent: int = 0
    seconds: float = 0.0
    client_s: float = 0.0  # processor time of what makes the load

    def figures(self) -> dict[str, Any]:
        """Percentiles of everything and of each kind, and the rate that was carried.

        Raises RuntimeError where nothing was.
        """
        everything = [value for values in self.durations_s.values() for value in values]
        if not everything:
            raise RuntimeError(f"no request was carried out: {dict(self.failed)}")
        return {
            **milliseconds(everything),
            "per_s": round(len(everything) / self.seconds, 1),
            "failed": dict(self.failed),
            "not_sent": self.not_sent,
            "client_cores": round(self.client_s / self.seconds, 3),
            "kinds": {kind: milliseconds(found) for kind, found in self.durations_s.items()},
        }


def paced(
    url: str,
    users: Sequence[Iterator[Request]],
    *,
    per_s: float,
    seconds: float,
    patience_s: float = PATIENCE_S,
) -> Paced:
    """Let users, each on a connection of their own, send their requests in turn.

    Raises ConnectionError where the server hangs up, ValueError for an answer without a length.
    """
    return asyncio.run(_paced(url, users, _Pace(per_s, seconds, patience_s)))


@dataclass(frozen=True, slots=True)
class _Pace:
    per_s: float
    seconds: float
    patience_s: float

    def due_s(self, start_s: float, user: int, users: int) -> Iterator[float]:
        """When one of the users sends, by the loop's clock."""
        turns = range(round(self.per_s * self.seconds))
        return (start_s + turn / self.per_s for turn in turns[user::users])


async def _paced(url: str, users: Sequence[Iterator[Request]], pace: _Pace) -> Paced:
    loop, parts, result = asyncio.get_running_loop(), urlsplit(url), Paced()
    host, port = str(parts.hostname), int(parts.port or 80)
    senders = []
    for user in users:
        make = partial(_Sender, user, result, pace.patience_s)
        _, sender = await loop.create_connection(make, host, port)
        senders.append(sender)
    start_s, spent_s = loop.time() + LEAD_S, time.process_time()
    for number, sender in enumerate(senders):
        sender.start(pace.due_s(start_s, number, len(senders)))
    try:
        await asyncio.gather(*(sender.done for sender in senders))
    finally:
        for sender in senders:
            sender.hang_up()
    result.seconds = loop.time() - start_s
    result.client_s = time.process_time() - spent_s
    return result


class _Sender(asyncio.Protocol):
    """One user's connection, without streams and tasks: it shares the cores with the server."""

    def __init__(self, user: Iterator[Request], result: Paced, patience_s: float) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._user = user
        self._result = result
        self._patience_s = patience_s
        self._transport: asyncio.Transport
        self._moments_s: Iterator[float]
        self._moment_s = 0.0
        self._request: Request
        self._answer = b""

    def start(self, moments_s: Iterator[float]) -> None:
        """Send at these moments of the loop's clock, or as soon as the one before is answered."""
        self._moments_s = moments_s
        self._go_on()

    def hang_up(self) -> None:
        """The measurement is over."""
        self.done.cancel()
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  asyncio's promise
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        self._answer += data
        end = self._answer.find(HEAD_END)
        if end < 0 or self.done.done():
            return
        try:
            status, length = status_and_length(self._answer[: end + 2])
        except ValueError as exc:
            self.done.set_exception(exc)
            return
        if len(self._answer) >= end + len(HEAD_END) + length:
            self._answer = b""
            self._note(status)
            self._go_on()

    def _go_on(self) -> None:
        """Wait for the next moment that is not too long ago."""
        now_s = self._loop.time()
        for moment_s in self._moments_s:
            self._request, self._moment_s = next(self._user), moment_s
            if moment_s > now_s:
                self._loop.call_at(moment_s, self._send)
                return
            if now_s - moment_s <= self._patience_s:
                self._send()
                return
            self._result.not_sent += 1
        self.done.set_result(None)

    def _send(self) -> None:
        self._transport.write(self._request.encoded)

    def _note(self, status: int) -> None:
        kind = self._request.kind
        if status in OK:
            took_s = self._loop.time() - self._moment_s
            self._result.durations_s.setdefault(kind, []).append(took_s)
        else:
            self._result.failed[f"{kind} {status}"] += 1
