"""The names of queues, and what the engine knows of each.

Every queue has a low one beside it, named `<queue>_low`, which the same workers empty after it.
"""

from stellwerk.settings import Settings

LOW = "_low"
_SHARED = "short"  # its jobs share a process
_ALONE = "long"  # each job has a process of its own


def base_queue(queue: str) -> str:
    """The queue that a low one stands beside; any other is its own."""
    return queue.removesuffix(LOW)


def choices(queue: str) -> tuple[str, str]:
    """Where a job of an operation that declares this queue may be sent."""
    return queue, f"{queue}{LOW}"


def ahead_of(queue: str) -> list[str]:
    """The queues whose wake-ups stand before or beside a new one of this queue."""
    base = base_queue(queue)
    return [base] if queue == base else [base, queue]


def shares_process(queue: str) -> bool:
    """Whether its jobs share a process, so that a crash may be another's."""
    return base_queue(queue) == _SHARED


def alone(queue: str) -> str:
    """Where a job of this queue has a process of its own."""
    return queue.replace(_SHARED, _ALONE, 1) if shares_process(queue) else queue


def slots(settings: Settings, queue: str) -> int:
    """How many jobs of a queue and its low one run at once."""
    by_queue = {
        "short": settings.short_slots,
        "long": settings.long_slots,
        "media": settings.media_slots,
    }
    return by_queue.get(base_queue(queue), 1)
