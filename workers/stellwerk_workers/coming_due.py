"""Tells clients that a scheduled or a retried job is due: nobody changes it at that moment.

Its version stays, so the event has the next number within it (`7-1`). Redis takes each number once:
looks may overlap, and any number of dispatchers may look. A job that was claimed by then is at a
newer version, and is not told of.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import func, select, text

from stellwerk.jobs import queries
from stellwerk.jobs.runtime import Runtime

BATCH = 1000  # jobs told of in one look; of others the next change tells
LOOK_BACK = timedelta(seconds=30)  # by a dispatcher that has just started

_COME_DUE = text("""
    SELECT id FROM jobs
    WHERE status = 'queued' AND run_at > :after AND run_at <= :until AND run_at > created_at
        AND ending IS NULL
    ORDER BY run_at LIMIT :batch
""")


class ComingDue:
    """How far one dispatcher has looked."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._looked_until: tuple[datetime, datetime] | None = None  # the look before, and the last

    def look(self) -> int:
        """Tell of those that came due since the look before the last; returns how many.

        One may have been stored a moment before its time, and be seen a moment later.
        """
        with self._runtime.sessions() as session:
            until = session.scalars(select(func.clock_timestamp())).one()
            before_last, last = self._looked_until or (until - LOOK_BACK,) * 2
            values = {"after": before_last, "until": until, "batch": BATCH}
            ids = session.scalars(_COME_DUE, values).all()
            changes = queries.changes(session, self._runtime.registry, ids)
        self._looked_until = last, until
        self._runtime.board.show([replace(change, sequence=1) for change in changes])
        return len(changes)
