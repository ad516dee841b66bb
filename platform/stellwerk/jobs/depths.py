"""How full the queues are, at a cost that does not grow with them."""

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

COUNTED_AT_MOST = 10_000  # due jobs of a queue; a deeper one counts as this deep

_DEPTHS = text("""
    SELECT q.name, (SELECT count(*) FROM (
        SELECT 1 FROM jobs WHERE queue = q.name AND status = 'queued' AND run_at <= now()
        LIMIT :at_most) due) AS depth
    FROM unnest(CAST(:queues AS varchar[])) AS q(name)
""")


def queue_depths(session: Session, queues: Sequence[str]) -> Mapping[str, int]:
    """Due jobs that no worker has claimed, by queue."""
    values = {"queues": list(queues), "at_most": COUNTED_AT_MOST}
    return {row.name: row.depth for row in session.execute(_DEPTHS, values)}
