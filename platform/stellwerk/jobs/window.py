"""How many wake-ups of a queue may be outstanding, and when a new job may be published at once.

A queue and its low one share slots and window: the low one gets the room that the other leaves.
"""

from typing import Any

from stellwerk.jobs.limits import WITHIN_LIMITS, Limits
from stellwerk.jobs.operation import Operation
from stellwerk.jobs.queues import ahead_of, shares_process, slots
from stellwerk.settings import Settings

# True where a job may be published in the statement that inserts it: its window has room, its
# queue runs, and nobody waits longer there. Two requests at once may both see the last room.
MAY_PUBLISH = """
    NOT EXISTS (SELECT 1 FROM queue_states q WHERE q.name = :queue AND q.paused_at IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM jobs w WHERE w.queue = ANY(:ahead) AND w.status = 'queued'
        AND w.published_at IS NULL AND w.run_at <= now())
    AND :window > (SELECT count(*) FROM (SELECT 1 FROM jobs w WHERE w.queue = ANY(:ahead)
        AND w.status = 'queued' AND w.published_at IS NOT NULL LIMIT :window) o)
"""


def window(settings: Settings, queue: str) -> int:
    """How many wake-ups of a queue are outstanding unless a dispatcher measured otherwise.

    Of long jobs one for each slot is enough, and whoever comes next waits the less.
    """
    factor = settings.job_window_factor if shares_process(queue) else 1
    return slots(settings, queue) * factor


def may_publish(settings: Settings, operation: Operation, queue: str) -> str:
    """The condition under which a new job may be published at once, as SQL.

    Of its `:values` the caller adds `owner_id`; the others are `publication_values`.
    """
    limits = Limits.of(settings, operation, queue)
    return f"{MAY_PUBLISH} AND {WITHIN_LIMITS}" if limits else MAY_PUBLISH


def publication_values(settings: Settings, operation: Operation, queue: str) -> dict[str, Any]:
    """The values of `may_publish`, all but the owner."""
    return {
        "queue": queue,
        "ahead": ahead_of(queue),
        "window": window(settings, queue),
        "operation": operation.name,
        **Limits.of(settings, operation, queue).values(queue),
    }
