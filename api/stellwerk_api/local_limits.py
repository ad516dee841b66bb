"""Counts requests in this process alone, for as long as Redis cannot."""

import time
from collections.abc import Collection
from threading import Lock

from stellwerk.configuration.rates import Rate

REMEMBERED = 10_000  # keys; when there are more, those that were forgotten begin anew


class LocalLimits:
    """A process's share of each rate, and at least one request of it; GCRA, as in Redis."""

    def __init__(self, *, processes: int) -> None:
        self._processes = processes
        self._free_at: dict[str, float] = {}  # on the monotonic clock: when all will be free again
        self._lock = Lock()

    def take(self, names: Collection[str], rate: Rate, cost: int = 1) -> float:
        """Count at every key, or at none; 0, or the seconds until it may pass."""
        share = max(1, rate.requests // self._processes, cost)
        interval_s = rate.window_s / share
        now = time.monotonic()
        with self._lock:
            if len(self._free_at) >= REMEMBERED:
                self._free_at.clear()
            after = {
                name: max(self._free_at.get(name, 0.0), now) + interval_s * cost for name in names
            }
            wait_s = max(after.values()) - now - rate.window_s
            if wait_s > interval_s / 1000:  # not for a rounding
                return wait_s
            self._free_at |= after
        return 0.0
