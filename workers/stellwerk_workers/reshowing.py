"""Shows ends that clients were not told of, because the process that wrote them died before.

Every end leaves a line in the jobs' log, whose ids grow. So each look reads the few lines that
came since the look before the last one (an id is given out a moment before its line can be seen),
and only where Redis shows an older version is anything shown.
"""

from sqlalchemy import text

from stellwerk.bootstrap import Platform
from stellwerk.jobs.runtime import unit

SLICE = 200  # jobs shown in one trip
LINES = 10_000  # looked at in one go; what ended before them is right again when it expires

_LAST = text("SELECT coalesce(max(id), 0) FROM job_logs")
_ENDED = text("""
    SELECT id, version FROM jobs
    WHERE id IN (SELECT job_id FROM job_logs WHERE id > :after) AND finished_at IS NOT NULL
""")


class Reshowing:
    """What one dispatcher has looked at."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._looked_until = (0, 0)  # ids of log lines: at the look before the last, and the last

    def look(self) -> int:
        """Show what ended lately and is shown as it was before; returns how many jobs."""
        with self._platform.runtime.sessions() as session:
            last = session.scalars(_LAST).one()
            after = max(self._looked_until[0], last - LINES)
            rows = session.execute(_ENDED, {"after": after}).all()
        behind = self._platform.live.behind({row.id: row.version for row in rows})
        if behind is None:  # what ended meanwhile is looked at once Redis is back
            return 0
        self._looked_until = self._looked_until[1], last
        shown = sorted(behind)
        for start in range(0, len(shown), SLICE):
            with unit(self._platform.runtime) as work:
                work.changed |= set(shown[start : start + SLICE])
        return len(behind)
