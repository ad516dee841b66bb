"""How long a sweep of a dispatcher may take: one thread does everything that dispatchers do."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

# Less than a lock or a statement is waited for: behind the first that is stuck nothing is begun.
BUDGET_S = 2.0

Thing = TypeVar("Thing")


def while_time_lasts(things: Iterable[Thing]) -> Iterator[Thing]:
    """These, the first in any case, until the sweep has taken its time; the next has the rest."""
    stops_at = time.monotonic() + BUDGET_S
    for thing in things:
        yield thing
        if time.monotonic() >= stops_at:
            return
