"""How many jobs of an operation, or of an owner, may be at work at once. The others wait.

Whoever publishes keeps to the limits as far as it sees; a claim keeps to them exactly.
"""

from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import text
from sqlalchemy.orm import Session

from stellwerk.jobs.operation import Operation
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.queues import base_queue, choices, slots
from stellwerk.settings import Settings

_BUSY = "(b.status = 'running' OR (b.status = 'queued' AND b.published_at IS NOT NULL))"

# To be added with AND to `window.MAY_PUBLISH` where the job's operation or queue has limits.
WITHIN_LIMITS = f"""
    (CAST(:max_running AS int) IS NULL OR :max_running > (
        SELECT count(*) FROM jobs b WHERE {_BUSY} AND b.operation = :operation))
    AND (CAST(:max_running_per_owner AS int) IS NULL OR :max_running_per_owner > (
        SELECT count(*) FROM jobs b WHERE {_BUSY} AND b.operation = :operation
            AND b.owner_id IS NOT DISTINCT FROM CAST(:owner_id AS int)))
    AND (CAST(:owner_max_running AS int) IS NULL OR :owner_max_running > (
        SELECT count(*) FROM jobs b WHERE {_BUSY} AND b.queue = ANY(:queues)
            AND b.owner_id IS NOT DISTINCT FROM CAST(:owner_id AS int)))
"""

# One after another where the same limit holds: two claims at once would not see each other. Always
# in this order, so that no two wait for each other in a ring.
_TAKE_TURNS = text("""
    SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(chr(31), 'limit', lock.name), 0))
    FROM jobs j, unnest(ARRAY[
        CASE WHEN CAST(:max_running AS int) IS NOT NULL THEN j.operation END,
        CASE WHEN CAST(:max_running_per_owner AS int) IS NOT NULL
            THEN concat_ws(chr(31), j.operation, 'of', j.owner_id) END,
        CASE WHEN CAST(:owner_max_running AS int) IS NOT NULL
            THEN concat_ws(chr(31), CAST(:queues AS text), 'of', j.owner_id) END]) AS lock(name)
    WHERE j.id = :id AND lock.name IS NOT NULL
""")
_ADMITTED = text("""
    SELECT (CAST(:max_running AS int) IS NULL OR :max_running > (
            SELECT count(*) FROM jobs r WHERE r.status = 'running' AND r.id <> j.id
                AND r.operation = j.operation))
        AND (CAST(:max_running_per_owner AS int) IS NULL OR :max_running_per_owner > (
            SELECT count(*) FROM jobs r WHERE r.status = 'running' AND r.id <> j.id
                AND r.operation = j.operation AND r.owner_id IS NOT DISTINCT FROM j.owner_id))
        AND (CAST(:owner_max_running AS int) IS NULL OR :owner_max_running > (
            SELECT count(*) FROM jobs r WHERE r.status = 'running' AND r.id <> j.id
                AND r.queue = ANY(:queues) AND r.owner_id IS NOT DISTINCT FROM j.owner_id))
    FROM jobs j WHERE j.id = :id
""")
_PUT_BACK = text("""
    UPDATE jobs SET published_at = NULL
    WHERE id = :id AND attempt = :attempt AND status = 'queued' AND published_at IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on jobs that run or are published; None: only the workers' slots bound them."""

    max_running: int | None  # of the operation
    max_running_per_owner: int | None  # of the operation, for each owner
    owner_max_running: int | None  # of whatever operation in this class of queue, for each owner

    @classmethod
    def of(cls, settings: Settings, operation: Operation, queue: str) -> Self:
        """What holds for jobs of this operation in this queue."""
        return cls(
            _most(settings, operation),
            operation.max_running_per_owner,
            settings.owner_max_running.get(base_queue(queue)),
        )

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.are_of_operation or self.owner_max_running is not None

    @property
    def are_of_operation(self) -> bool:
        """Whether the operation declares one."""
        return self.max_running is not None or self.max_running_per_owner is not None

    def values(self, queue: str) -> dict[str, Any]:
        """The limits and the queues that share one, as named values."""
        return {
            "max_running": self.max_running,
            "max_running_per_owner": self.max_running_per_owner,
            "owner_max_running": self.owner_max_running,
            "queues": list(choices(base_queue(queue))),
        }


def _most(settings: Settings, operation: Operation) -> int | None:
    """The smaller of its two bounds; a share is one of the queue that it declares."""
    if operation.max_share is None:
        return operation.max_running
    share = max(1, int(operation.max_share * slots(settings, operation.queue)))
    return min(share, operation.max_running or share)


def admit(session: Session, settings: Settings, operation: Operation, wakeup: Wakeup) -> bool:
    """Whether one more such job may run now.

    Other claims under the same limits are held off until the transaction ends. A job that may not
    is given back to the dispatcher.
    """
    limits = Limits.of(settings, operation, wakeup.queue)
    if not limits:
        return True
    values = limits.values(wakeup.queue) | {"id": wakeup.job_id, "attempt": wakeup.attempt}
    session.execute(_TAKE_TURNS, values)
    if session.scalar(_ADMITTED, values):
        return True
    session.execute(_PUT_BACK, values)
    return False
