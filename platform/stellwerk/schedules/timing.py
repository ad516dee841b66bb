"""When a schedule is due: cron in a time zone (as Debian's cron has it), or an interval.

Across a change of the clocks, by cron(8): a fixed time that does not exist that day runs right
after the jump, one that exists twice runs once; `*` in hours or minutes follows real time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim

COUNTED_MISSES = 1000


@dataclass(frozen=True, slots=True)
class Timing:
    """Either `cron` (five fields) read in `time_zone`, or every `interval_s` from `starts_at` on.

    All instants that go in or come out are aware datetimes, those that come out in UTC.
    """

    starts_at: datetime
    cron: str | None
    time_zone: str
    interval_s: int | None

    def after(self, instant: datetime) -> datetime | None:
        """The first time that is later than `instant`; None where there is none any more."""
        return next(self.times_after(instant), None)

    def times_after(self, instant: datetime) -> Iterator[datetime]:
        """All times later than `instant`, none before `starts_at`."""
        if self.interval_s is None:
            return self._by_cron(max(instant, self.starts_at - timedelta(microseconds=1)))
        return self._by_interval(instant, timedelta(seconds=self.interval_s))

    def next_times(self, instant: datetime, count: int) -> list[datetime]:
        """The next `count` times later than `instant`."""
        return list(islice(self.times_after(instant), count))

    def latest(self, planned: datetime, now: datetime) -> tuple[datetime, int]:
        """The last time from `planned` up to `now`, and how many lie before it.

        They are counted up to COUNTED_MISSES.
        """
        if self.interval_s is None:
            return self._latest_by_cron(planned, now)
        step = timedelta(seconds=self.interval_s)
        passed = (now - planned) // step
        return planned + passed * step, min(passed, COUNTED_MISSES)

    def _latest_by_cron(self, planned: datetime, now: datetime) -> tuple[datetime, int]:
        latest, missed = planned, 0
        for found in self._by_cron(planned):
            if found > now:
                break
            latest, missed = found, missed + 1
        return latest, min(missed, COUNTED_MISSES)

    def _by_cron(self, instant: datetime) -> Iterator[datetime]:
        local = instant.astimezone(ZoneInfo(self.time_zone))
        for found in CronSim(self.cron or "", local):
            in_utc = found.astimezone(UTC)
            if in_utc > instant:  # within an hour that is repeated, it may begin with the first
                yield in_utc

    def _by_interval(self, instant: datetime, step: timedelta) -> Iterator[datetime]:
        passed = max(-1, (instant - self.starts_at) // step)
        at = self.starts_at.astimezone(UTC) + (passed + 1) * step
        while True:
            yield at
            at += step
