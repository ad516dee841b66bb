"""Runs the jobs of one wake-up that names many, one after another in one slot of a worker.

They are claimed in one statement and end in groups (finisher.py). What has not begun is given back
when one of them runs long, all of them together do, or the worker stops: nobody waits for a
neighbour, and no lease, which only the job that runs renews, ends before its job has begun.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from uuid import uuid4

import structlog

from stellwerk.jobs import claims, lifecycle
from stellwerk.jobs.claims import Claim
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.jobs.operation import Operation
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.runtime import unit
from stellwerk_workers.finisher import Finisher, Settling, Told
from stellwerk_workers.runner import Runner

log = structlog.get_logger()

LONG_S = 1.0  # a job that runs longer keeps nobody waiting
LIST = "list"  # names it in crash points
CLAIM_TRIES = 20  # then the dispatcher publishes them again


class JobList:
    """Claimed jobs of one operation, and the one of them that runs."""

    def __init__(self, runner: Runner, finisher: Finisher, operation: Operation) -> None:
        self._finisher = finisher
        self._settling = Settling(finisher)
        self._runner = replace(runner, defer=self._settling.add)
        self._operation = operation
        self._rest: deque[Claim] = deque()
        self._running: Claim | None = None
        self._since = 0.0  # monotonic
        self._asked_at = 0.0  # monotonic
        self._is_shown = False
        self._lock = Lock()

    def run(self, wakeups: Sequence[Wakeup], worker: str) -> None:
        """Carry out as many as there is time for; returns when all of them are settled."""
        self._rest.extend(self._claim(wakeups, worker))
        self._asked_at = min((claimed.asked_at for claimed in self._rest), default=0.0)
        with self._runner.heartbeat.calling(self._look):
            while claimed := self._next():
                self._carry_out(claimed)
        self._settling.wait()

    def _carry_out(self, claimed: Claim) -> None:
        report = self._runner.attempt(claimed)
        if self._settling.deferred != claimed.job_id:
            ran_s = time.monotonic() - self._since
            self._finisher.add(Told(claimed, report, ran_s))

    def _claim(self, wakeups: Sequence[Wakeup], worker: str) -> list[Claim]:
        token, runtime = uuid4(), self._runner.runtime
        for wakeup in wakeups:
            reach(runtime, CrashPoint.AFTER_ACK_BEFORE_CLAIM, wakeup.job_id, step=LIST)
        claimed = self._runner.through_outages(
            lambda: claims.claim_many(runtime, self._operation, wakeups, worker, token),
            CLAIM_TRIES,
        )
        for claim in claimed:
            reach(runtime, CrashPoint.AFTER_CLAIM, claim.job_id, step=LIST)
        return claimed

    def _next(self) -> Claim | None:
        if self._runner.is_draining():
            self._hand_back()
        with self._lock:
            self._since, self._is_shown = time.monotonic(), False
            if self._rest and self._held_s() > self._runner.runtime.settings.job_lease_s:
                log.warning("leases ended, others begin these", count=len(self._rest))
                self._rest.clear()  # this process was frozen
            self._running = self._rest.popleft() if self._rest else None
            return self._running

    def _look(self) -> None:
        """Called by the heartbeat: show the job that runs for a while, and spare the others."""
        running, ran_s = self._running, time.monotonic() - self._since
        if running and not self._is_shown and ran_s > LONG_S / 2:
            self._is_shown = True
            with unit(self._runner.runtime) as work:
                work.changed.add(running.job_id)
        if self._held_s() > LONG_S / 2:
            self._end_cancelled()
        half_lease_s = self._runner.runtime.settings.job_lease_s / 2
        if running and (ran_s > LONG_S or self._held_s() > half_lease_s):
            self._hand_back()

    def _held_s(self) -> float:
        """How long ago the list was claimed."""
        return time.monotonic() - self._asked_at

    def _hand_back(self) -> None:
        with self._lock:
            unstarted = list(self._rest)
            self._rest.clear()
        if not unstarted:
            return
        taken = self._runner.through_outages(
            lambda: claims.hand_back(self._runner.runtime, unstarted), CLAIM_TRIES
        )
        log.info("handed back what had not begun", count=len(taken))
        for claimed in unstarted:
            if claimed.job_id not in taken:
                self._end_unstarted(claimed)

    def _end_cancelled(self) -> None:
        """A job that is cancelled before its turn does not wait for it."""
        with self._lock:
            unstarted = list(self._rest)
        cancelled = unstarted and claims.cancelled_of(self._runner.runtime, unstarted)
        if not cancelled:
            return
        with self._lock:
            found = [claimed for claimed in self._rest if claimed.job_id in cancelled]
            for claimed in found:
                self._rest.remove(claimed)
        for claimed in found:
            self._end_unstarted(claimed)

    def _end_unstarted(self, claimed: Claim) -> None:
        report = self._runner.end_unstarted(claimed, lifecycle.cancelled())
        self._finisher.add(Told(claimed, report, 0.0))
