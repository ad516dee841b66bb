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
from typing import NamedTuple
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


class Sent(NamedTuple):
    """A wake-up that is watched."""

    attempt: int
    at: float  # by the dispatcher's clock
    window: int  # how many might be outstanding then


Waits = Sequence[tuple[Sent, float]]  # seconds


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
    _watched: dict[UUID, Sent] = field(default_factory=dict)
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
                self._watched[wakeup.job_id] = Sent(wakeup.attempt, now, self.window)
        for wakeup in _spread(turn.wakeups, WATCHED - len(self._watched)):
            self._watched.setdefault(wakeup.job_id, Sent(wakeup.attempt, now, self.window))

    def look(self, session: Session) -> None:
        """See which watched wake-ups were claimed; a few times a second at most."""
        now = self.clock()
        if now < self._look_at:
            return
        self._look_at = now + self.settings.job_dispatch_interval_s
        claimed, waiting = self._sort_watched(session, now)
        self._waits_s.extend(wait_s for _, wait_s in claimed)
        self._adapt(self._as_of_now(claimed), self._as_of_now(waiting))
        self._may_go_on = False

    def _sort_watched(self, session: Session, now: float) -> tuple[Waits, Waits]:
        """How long those waited that were claimed, and so far those that were not."""
        if not self._watched:
            return [], []
        rows = {row.id: row for row in session.execute(_ATTEMPTS, {"ids": list(self._watched)})}
        claimed, waiting = [], []
        for job_id, sent in list(self._watched.items()):
            row = rows.get(job_id)
            if row and row.attempt == sent.attempt and row.is_waiting and not self._is_lost(sent):
                waiting.append((sent, now - sent.at))
                continue
            del self._watched[job_id]
            if row and row.attempt > sent.attempt:
                # A busy dispatcher looks late: how late, the ledger knows of first attempts
                wait_s = now - sent.at - float(row.claimed_s_ago or 0)
                claimed.append((sent, max(0.0, wait_s)))
                self._claimed_sent_at = max(self._claimed_sent_at, sent.at)
        return claimed, waiting

    def _as_of_now(self, waits: Waits) -> list[float]:
        """How long they would wait behind as many as may be outstanding now.

        Whoever was sent while the window was wider waits the longer for that: heeded as they are,
        look by look, such waits would narrow it until the workers had nothing to do.
        """
        return [wait_s * self.window / sent.window for sent, wait_s in waits]

    def _is_lost(self, sent: Sent) -> bool:
        """Whether one sent later was claimed, and long enough ago."""
        is_overdue = self.clock() - sent.at > self.republish_after_s
        return is_overdue and sent.at < self._claimed_sent_at

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
