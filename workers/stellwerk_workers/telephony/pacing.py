"""How quickly calls are begun: a switch refuses what comes faster than it admits."""

import time
from collections.abc import Callable

BURST_S = 0.25  # what may be caught up with at once
ROUNDING = 1e-6  # of a call: of waits added up, which come to a little less than one


class Pace:
    """Admits `per_s` a second, evenly; after a pause no more at once than in `BURST_S`."""

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._most = max(1.0, per_s * BURST_S)
        self._clock = clock
        self._left = self._most
        self._at = clock()

    def admitted(self) -> int:
        """How many may begin now."""
        self._refill()
        return int(self._left + ROUNDING)

    def spend(self, count: int) -> None:
        """So many were begun."""
        self._left -= count

    def wait_s(self) -> float:
        """In how long the next may begin."""
        self._refill()
        return max(0.0, (1 - self._left) / self._per_s)

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
