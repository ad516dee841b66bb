"""How long operations took lately, and what that lets one expect of a job.

Each process measures for itself, once a minute, from the newest completed jobs of every operation.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from stellwerk.jobs.states import PublicStatus

MEASURED_EVERY_S = 60.0
LATELY = 50  # completed jobs of an operation

_AHEAD = frozenset({PublicStatus.QUEUED, PublicStatus.SCHEDULED, PublicStatus.RETRYING})

# `run_at` is that of the submission where the first attempt was the last.
_MEASURE = text("""
    SELECT o.name, usual.run_s, usual.slow_s, usual.wait_s
    FROM unnest(CAST(:operations AS varchar[])) AS o(name), LATERAL (
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY run_s) AS run_s,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY run_s) AS slow_s,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY wait_s) FILTER (WHERE attempt = 1) AS wait_s
        FROM (SELECT attempt, extract(epoch FROM finished_at - started_at) AS run_s,
                  extract(epoch FROM started_at - run_at) AS wait_s
              FROM (SELECT * FROM jobs WHERE operation = o.name
                    ORDER BY id DESC LIMIT 4 * :lately) newest
              WHERE status = 'completed' ORDER BY id DESC LIMIT :lately) lately) usual
    WHERE usual.run_s IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class Usual:
    """What half (`run_s`) and nearly all (`slow_s`) of its like took, and waited before that."""

    run_s: float
    slow_s: float
    wait_s: float


class History:
    """The measurements of one process."""

    def __init__(self) -> None:
        self._usual: Mapping[str, Usual] = {}
        self._measure_after = 0.0  # monotonic
        self._lock = Lock()

    def is_due(self) -> bool:
        """Whether it is time to measure again."""
        return time.monotonic() >= self._measure_after

    def refresh(self, session: Session, operations: Iterable[str]) -> None:
        """Measure if it is due; one thread does, the others go on with what is known."""
        if not self.is_due() or not self._lock.acquire(blocking=False):
            return
        try:
            self._measure_after = time.monotonic() + MEASURED_EVERY_S
            values = {"operations": list(operations), "lately": LATELY}
            found = {row.name: _usual(row) for row in session.execute(_MEASURE, values)}
            self._usual = {**self._usual, **found}  # a backlog hides what was completed before it
        finally:
            self._lock.release()

    def expected_end(
        self, row: Mapping[str, Any] | RowMapping, status: PublicStatus, now: datetime
    ) -> datetime | None:
        """When the job of a row will probably have ended; None where nobody can tell.

        That is too when it takes longer than nearly all of its like.
        """
        usual = self._usual.get(row["operation"])
        if usual is None or row["ending"] is not None:
            return None
        if status is PublicStatus.RUNNING:
            starts_at = row["started_at"]
        elif status in _AHEAD:
            starts_at = row["run_at"] + timedelta(seconds=usual.wait_s)
        else:
            starts_at = None
        if starts_at is None:
            return None
        ends = (starts_at + timedelta(seconds=took_s) for took_s in (usual.run_s, usual.slow_s))
        return next((end for end in ends if end > now), None)


def _usual(row: Any) -> Usual:
    return Usual(float(row.run_s), float(row.slow_s), max(0.0, float(row.wait_s or 0)))
