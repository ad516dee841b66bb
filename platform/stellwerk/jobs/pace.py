"""What a dispatcher has learnt of a queue: how long wake-ups wait, and how many are of use.

It remembers some of the wake-ups it sent and looks now and then which of them were claimed. By
that it keeps about a second's work published, be it a thousand short jobs or one long one, so
that whoever comes next waits about a second; and by that it knows when a wake-up is overdue.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import quantiles
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.queues import slots
from stellwerk.jobs.turns import Bounds, Turn
from stellwerk.jobs.window import window
from stellwerk.settings import Settings

WATCHED = 20  # wake-ups at a time
REMEMBERED = 60  # waits
ENOUGH = 5  # waits to tell a slow queue from one that lost a wake-up
WORK_PUBLISHED_S = 1.0
OVERDUE_FACTOR = 3  # times the usual wait

_ATTEMPTS = text("""
    SELECT id, attempt, status = 'queued' AND published_at IS NOT NULL AS is_waiting,
        CASE WHEN attempt = 1 THEN extract(epoch FROM clock_timestamp() - started_at) END
            AS claimed_s_ago
    FROM jobs WHERE id = ANY(:ids)
""")


@dataclass(slots=True)
class Pace:
    """One queue as one dispatcher sees it."""

    settings: Settings
    queue: str
    last_owner: int = -1
    window: int = 0  # wake-ups
    lost_before: datetime | None = None  # see `Bounds`; whoever looks at the broker sets it
    clock: Callable[[], float] = time.monotonic
    _may_go_on: bool = False  # the last turn left something to do
    _waits_s: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _watched: dict[UUID, tuple[int, float]] = field(default_factory=dict)  # attempt, clock
    _claimed_sent_at: float = 0.0  # when the last of those claimed was sent
    _look_at: float = 0.0

    def __post_init__(self) -> None:
        self.window = window(self.settings, self.queue)

    @property
    def republish_after_s(self) -> float:
        """When a wake-up that nobody claimed counts as lost."""
        return max(self.settings.job_republish_after_s, OVERDUE_FACTOR * self.usual_wait_s)

    @property
    def usual_wait_s(self) -> float:
        """Of twenty wake-ups nineteen were claimed within this time; 0 before any was."""
        if len(self._waits_s) < ENOUGH:
            return min(self._waits_s, default=0.0)
        return quantiles(self._waits_s, n=20, method="inclusive")[-1]

    def bounds(self) -> Bounds:
        """How far the next turn may go."""
        return Bounds(self.window, self.republish_after_s, self.last_owner, self.lost_before)

    def note(self, turn: Turn) -> None:
        """Watch some of what a turn sent."""
        self.last_owner, self._may_go_on = turn.last_owner, turn.may_go_on
        now = self.clock()
        for wakeup in turn.wakeups:
            if wakeup.job_id in self._watched:  # sent again: a loss is no wait
                self._watched[wakeup.job_id] = (wakeup.attempt, now)
        for wakeup in _spread(turn.wakeups, WATCHED - len(self._watched)):
            self._watched.setdefault(wakeup.job_id, (wakeup.attempt, now))

    def look(self, session: Session) -> None:
        """See which watched wake-ups were claimed; a few times a second at most."""
        now = self.clock()
        if now < self._look_at:
            return
        self._look_at = now + self.settings.job_dispatch_interval_s
        claimed_s, waiting_s = self._sort_watched(session, now)
        self._waits_s.extend(claimed_s)
        self._adapt(claimed_s, waiting_s)
        self._may_go_on = False

    def _sort_watched(self, session: Session, now: float) -> tuple[list[float], list[float]]:
        """Waits of those that were claimed, and of those that were not yet."""
        if not self._watched:
            return [], []
        rows = {row.id: row for row in session.execute(_ATTEMPTS, {"ids": list(self._watched)})}
        claimed_s, waiting_s = [], []
        for job_id, (attempt, sent_at) in list(self._watched.items()):
            row = rows.get(job_id)
            if row and row.attempt == attempt and row.is_waiting and not self._is_lost(sent_at):
                waiting_s.append(now - sent_at)
                continue
            del self._watched[job_id]
            if row and row.attempt > attempt:
                # A busy dispatcher looks late: how late, the ledger knows of first attempts
                claimed_s.append(max(0.0, now - sent_at - float(row.claimed_s_ago or 0)))
                self._claimed_sent_at = max(self._claimed_sent_at, sent_at)
        return claimed_s, waiting_s

    def _is_lost(self, sent_at: float) -> bool:
        """Whether one sent later was claimed, and long enough ago."""
        is_overdue = self.clock() - sent_at > self.republish_after_s
        return is_overdue and sent_at < self._claimed_sent_at

    def _adapt(self, claimed_s: Sequence[float], waiting_s: Sequence[float]) -> None:
        fewest = slots(self.settings, self.queue)
        usual = window(self.settings, self.queue)
        longest_s = max([*claimed_s, *waiting_s], default=0.0)
        if longest_s > WORK_PUBLISHED_S:
            self.window = max(fewest, int(self.window * WORK_PUBLISHED_S / longest_s))
        elif not self._may_go_on:
            self.window = usual
        elif claimed_s and longest_s < WORK_PUBLISHED_S / 2:
            self.window = min(fewest * self.settings.job_window_factor_max, self.window * 2)


def _spread(wakeups: Sequence[Wakeup], number: int) -> Sequence[Wakeup]:
    """So many of them, from the first to the last."""
    if number <= 0 or not wakeups:
        return []
    return wakeups[:: -(-len(wakeups) // number)]
