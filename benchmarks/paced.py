"""Load at a fixed rate, whatever the server makes of it (an open loop).

A request counts from the moment it was due, not from when it could be sent: a server that stalls
is not forgiven the requests that piled up meanwhile. One that falls behind by more than a
patience is spared the rest, which count as failed and as late as they are by then.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.distribution import milliseconds
from benchmarks.exchange import Connection, Request

LEAD_S = 0.2
PATIENCE_S = 5.0
OK = range(200, 400)
NOT_SENT = 0


@dataclass(slots=True)
class Paced:
    """What came of it; durations in seconds."""

    durations_s: dict[str, list[float]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def figures(self) -> dict[str, Any]:
        """Percentiles of everything and of each kind, and the rate that was reached."""
        everything = [value for values in self.durations_s.values() for value in values]
        return {
            **milliseconds(everything),
            "per_s": round(len(everything) / self.seconds, 1),
            "failed": dict(self.failed),
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
    """Let users, each on a connection of their own, send their requests in turn."""
    return asyncio.run(_paced(url, users, _Pace(per_s, seconds, patience_s)))


@dataclass(frozen=True, slots=True)
class _Pace:
    per_s: float
    seconds: float
    patience_s: float

    def due_s(self, start_s: float, user: int, users: int) -> list[float]:
        """When one of the users sends, in seconds of the performance counter."""
        turns = range(round(self.per_s * self.seconds))
        return [start_s + turn / self.per_s for turn in turns[user::users]]


async def _paced(url: str, users: Sequence[Iterator[Request]], pace: _Pace) -> Paced:
    connections = [await Connection.to(url) for _ in users]
    result = Paced()
    start_s = time.perf_counter() + LEAD_S
    await asyncio.gather(
        *(
            _one(connections[number], user, result, pace=pace, due_s=due_s)
            for number, user in enumerate(users)
            if (due_s := pace.due_s(start_s, number, len(users)))
        )
    )
    result.seconds = time.perf_counter() - start_s
    for connection in connections:
        await connection.close()
    return result


async def _one(
    connection: Connection,
    user: Iterator[Request],
    result: Paced,
    *,
    pace: _Pace,
    due_s: Sequence[float],
) -> None:
    for moment_s, request in zip(due_s, user, strict=False):
        encoded = request.encoded()
        early_s = moment_s - time.perf_counter()
        if early_s > -pace.patience_s:
            await asyncio.sleep(max(0.0, early_s))
            status = (await connection.send(encoded)).status
        else:
            status = NOT_SENT
        result.durations_s.setdefault(request.kind, []).append(time.perf_counter() - moment_s)
        if status not in OK:
            result.failed[f"{request.kind} {status or 'not sent'}"] += 1
