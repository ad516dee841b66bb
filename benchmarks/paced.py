"""Load at a fixed rate, whatever the server makes of it (an open loop).

A request counts from the moment it was due, not from when it could be sent: a server that stalls
is not forgiven the requests that piled up meanwhile.
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
OK = range(200, 400)


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


def paced(url: str, users: Sequence[Iterator[Request]], *, per_s: float, seconds: float) -> Paced:
    """Let users, each on a connection of their own, send their requests in turn."""
    return asyncio.run(_paced(url, users, per_s, seconds))


async def _paced(
    url: str, users: Sequence[Iterator[Request]], per_s: float, seconds: float
) -> Paced:
    connections = [await Connection.to(url) for _ in users]
    result = Paced()
    start_s = time.perf_counter() + LEAD_S
    turns = range(round(per_s * seconds))
    await asyncio.gather(
        *(
            _one(connections[number], user, result, [start_s + turn / per_s for turn in due])
            for number, user in enumerate(users)
            if (due := turns[number :: len(users)])
        )
    )
    result.seconds = time.perf_counter() - start_s
    for connection in connections:
        await connection.close()
    return result


async def _one(
    connection: Connection, user: Iterator[Request], result: Paced, due_s: Sequence[float]
) -> None:
    for moment_s, request in zip(due_s, user, strict=False):
        encoded = request.encoded()
        await asyncio.sleep(max(0.0, moment_s - time.perf_counter()))
        answer = await connection.send(encoded)
        result.durations_s.setdefault(request.kind, []).append(time.perf_counter() - moment_s)
        if answer.status not in OK:
            result.failed[f"{request.kind} {answer.status}"] += 1
