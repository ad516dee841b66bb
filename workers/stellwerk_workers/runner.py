"""Carries one wake-up out: claim, perform, report.

The steps of `Runner.run` are the life of an attempt. What an attempt came to is an explicit
`Report`; Celery's task turns it into what Flower shows.
"""

import os
import signal
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any, TypeVar
from uuid import UUID, uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.db.engine import is_outage, may_pass
from stellwerk.errors import StellwerkError
from stellwerk.jobs import claims, lifecycle, outcomes
from stellwerk.jobs.claims import Claim
from stellwerk.jobs.context import JobContext
from stellwerk.jobs.crash_points import CrashPoint, reach
from stellwerk.jobs.interruptions import (
    Cancelled,
    HandedOver,
    HowStopped,
    Interruption,
    LeaseLost,
    Suspended,
    TimeLimitReached,
)
from stellwerk.jobs.lifecycle import Outcome
from stellwerk.jobs.outcomes import Ended
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.queues import alone
from stellwerk.jobs.runtime import Runtime, Unit, unit
from stellwerk.jobs.states import JobStatus
from stellwerk.jobs.suspension import suspend
from stellwerk.tracing import Attributes, came_to, carried_on
from stellwerk_workers import outages
from stellwerk_workers.beginnings import Beginnings
from stellwerk_workers.handling import carry_out, leaves_only_its_outcome
from stellwerk_workers.heartbeat import Heartbeat
from stellwerk_workers.outages import PAUSE_S
from stellwerk_workers.reports import Came, Report
from stellwerk_workers.verdicts import backoff_s, error_of, final_error, over_limit
from stellwerk_workers.workdirs import Workdirs

log = structlog.get_logger()

OUTAGE_TRIES = 600  # then the lease decides
CLAIM_TRIES = 20  # then the dispatcher publishes it again

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Runner:
    """What an attempt needs from its process."""

    runtime: Runtime
    heartbeat: Heartbeat
    is_draining: Callable[[], bool]
    defer: Callable[[JobContext, Ended], None] | None = None  # takes plain outcomes; None: nobody
    workdirs: Workdirs = field(default_factory=Workdirs)
    beginnings: Beginnings = field(default_factory=Beginnings)
    pause: Event = field(default_factory=Event)  # never set: a sleep that tests can end
    die: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGKILL)

    def run(self, wakeup: Wakeup, worker: str) -> Report:
        """Carry out one wake-up; never raises for what a handler does."""
        claimed = self._claim(wakeup, worker)
        if claimed is None:
            return Report(Came.NOTHING, "nothing to claim")
        with self.beginnings.shown_soon(claimed.show):
            return self.attempt(claimed)

    def attempt(self, claimed: Claim) -> Report:
        """Carry out a claimed job; where outcomes are deferred, that is when this returns."""
        with structlog.contextvars.bound_contextvars(
            job_id=str(claimed.job_id), attempt=claimed.attempt, request_id=claimed.request_id
        ):
            return self._traced(claimed)

    def _traced(self, claimed: Claim) -> Report:
        attributes: Attributes = {
            "stellwerk.job_id": str(claimed.job_id),
            "stellwerk.attempt": claimed.attempt,
        }
        with carried_on(claimed.trace_context, claimed.operation.name, attributes):
            report = self._attempt(claimed)
            came_to(report.came, is_error=report.came is Came.FAILED)
            return report

    def _claim(self, wakeup: Wakeup, worker: str) -> Claim | None:
        token = uuid4()
        reach(self.runtime, CrashPoint.AFTER_ACK_BEFORE_CLAIM, wakeup.job_id)
        claimed = self.through_outages(
            lambda: claims.claim(self.runtime, wakeup, worker, token), CLAIM_TRIES
        )
        if claimed:
            reach(self.runtime, CrashPoint.AFTER_CLAIM, wakeup.job_id)
        return claimed

    def _attempt(self, claimed: Claim) -> Report:
        with self.workdirs.lend() as workdir:
            ctx = JobContext(
                self.runtime, claimed, make_workdir=workdir, is_draining=self.is_draining
            )
            killing = replace(self, defer=None)  # what is deferred would die with the process
            with self.heartbeat.watch(ctx, killing.kill):
                return self._unless_lost(ctx, self._perform)

    def _unless_lost(self, ctx: JobContext, perform: Callable[[JobContext], Report]) -> Report:
        try:
            return perform(ctx)
        except LeaseLost:
            log.warning("lease lost, another attempt goes on")
            self._show_again(ctx)
            return Report(Came.NOTHING, "lease lost")

    def _show_again(self, ctx: JobContext) -> None:
        """Perhaps it was this attempt that ended the job, and only the answer was lost."""
        try:
            with unit(self.runtime) as work:
                work.changed.add(ctx.job_id)
        except SQLAlchemyError as exc:  # what is shown expires by itself
            log.warning("not shown again", reason=str(exc).splitlines()[0])

    def _perform(self, ctx: JobContext) -> Report:
        try:
            outcome = carry_out(ctx)
        except LeaseLost:
            raise
        except Interruption as interruption:
            return self._interrupted(ctx, interruption)
        except StellwerkError as exc:
            return self._failed(ctx, exc)
        except SQLAlchemyError as exc:
            if not is_outage(exc):  # what is stuck may be so for ever: such an attempt counts
                return self._broken(ctx, exc)
            return self._interrupted(ctx, HandedOver("the ledger did not answer", PAUSE_S))
        except Exception as exc:  # noqa: BLE001  the runner's edge: a handler's bug is an outcome
            return self._broken(ctx, exc)
        return self._completed(ctx, outcome)

    def _completed(self, ctx: JobContext, outcome: Outcome) -> Report:
        try:
            return self._end(ctx, outcome)
        except (SQLAlchemyError, ValueError, TypeError) as exc:
            if may_pass(exc):  # it is done: that must not count as a failure, so the lease decides
                raise
            return self._broken(ctx, exc)  # a result that Postgres cannot store

    def _broken(self, ctx: JobContext, exc: Exception) -> Report:
        log.error("handler failed", **_logged(ctx, exc))
        ctx.log(f"{type(exc).__name__}: {exc}", level="error")
        message = f"{type(exc).__name__} in the handler; see its log."
        return self._failed(ctx, StellwerkError(message))

    def _interrupted(self, ctx: JobContext, interruption: Interruption) -> Report:
        match interruption:
            case Cancelled():
                return self._end(ctx, lifecycle.cancelled(HowStopped.BY_ITSELF))
            case TimeLimitReached():
                return self._failed(ctx, over_limit(ctx.claimed))
            case Suspended():
                return self._again(
                    ctx,
                    lambda work: suspend(work, ctx.claimed, interruption),
                    f"waits for {interruption.signal}",
                )
            case HandedOver(reason=reason, delay_s=delay_s):
                return self._again(
                    ctx,
                    lambda work: lifecycle.hand_over(
                        work, ctx.claimed, reason=reason, delay_s=delay_s
                    ),
                    f"handed over: {reason}",
                )
        raise interruption

    def _failed(self, ctx: JobContext, exc: StellwerkError, queue: str | None = None) -> Report:
        """Retry it where that can help, perhaps in another `queue`, or end it."""
        claimed, error = ctx.claimed, ctx.told_error(error_of(exc))
        if error["retryable"] and claimed.failures + 1 < claimed.max_attempts:
            delay_s = backoff_s(claimed, exc.retry_after_s)
            return self._again(
                ctx,
                lambda work: lifecycle.retry_later(
                    work, claimed, error=error, delay_s=delay_s, queue=queue
                ),
                f"failed, next attempt in {delay_s:.1f} s: {error['message']}",
            )
        error = final_error(claimed, error)
        return self._end(ctx, Outcome(JobStatus.FAILED, error=error))

    def end_unstarted(self, claimed: Claim, outcome: Outcome) -> Report:
        """End a claimed job without running it."""
        with self.workdirs.lend() as workdir:
            ctx = JobContext(
                self.runtime, claimed, make_workdir=workdir, is_draining=self.is_draining
            )
            return self._unless_lost(ctx, lambda ctx: self._end(ctx, outcome))

    def _again(self, ctx: JobContext, change: Callable[[Unit], None], reason: str) -> Report:
        """Give the job back, unless it was cancelled meanwhile."""
        try:
            self._write(ctx, change, reason)
        except Cancelled:
            return self._end(ctx, lifecycle.cancelled(HowStopped.BY_ITSELF))
        return Report(Came.AGAIN, reason)

    def _end(self, ctx: JobContext, outcome: Outcome) -> Report:
        reason = str((outcome.error or {}).get("message", ""))
        line = f"{outcome.status}: {reason}".rstrip(": ")
        if not (leaves_only_its_outcome(ctx, outcome) and self._end_plainly(ctx, outcome, line)):
            self._write(
                ctx,
                lambda work: lifecycle.finish(self.runtime, work, ctx.claimed, outcome),
                line,
                artifacts=outcome.status is JobStatus.COMPLETED,
            )
        return Report(Came(outcome.status.value), reason)

    def _end_plainly(self, ctx: JobContext, outcome: Outcome, line: str) -> bool:
        """In one statement, now or with others; False where it has to be tried the long way."""
        ctx.is_settling = True
        ended = Ended(ctx.claimed, outcome, line, ctx.ran_s)
        if self.defer:
            self.defer(ctx, ended)
            return True
        return bool(self.finish([ended]))

    def finish(self, endings: Sequence[Ended]) -> set[UUID]:
        """See `outcomes.finish`; waits for a ledger that is gone."""
        for ended in endings:
            reach(self.runtime, CrashPoint.BEFORE_FINISH, ended.claimed.job_id)
        return self.through_outages(lambda: outcomes.finish(self.runtime, endings), OUTAGE_TRIES)

    def settle(self, ctx: JobContext, outcome: Outcome) -> Report:
        """End an attempt whose deferred outcome could not be written with the others'."""
        return self._unless_lost(ctx, lambda ctx: self._completed(ctx, outcome))

    def _write(
        self, ctx: JobContext, change: Callable[[Unit], None], line: str, *, artifacts: bool = False
    ) -> None:
        """Record what came of the attempt, however long the ledger is gone meanwhile."""
        ctx.is_settling = True

        def write() -> None:
            with unit(self.runtime) as work:
                lifecycle.lock(work.session, ctx.claimed)
                ctx.flush(work.session, artifacts=artifacts)
                work.session.add(ctx.engine_line(line))
                work.session.flush()
                change(work)

        reach(self.runtime, CrashPoint.BEFORE_FINISH, ctx.job_id)
        self.through_outages(write, OUTAGE_TRIES)
        ctx.settled(artifacts=artifacts)

    def through_outages(self, action: Callable[[], Done], tries: int) -> Done:
        """See `outages.through_outages`."""
        return outages.through_outages(action, tries=tries, pause=self.pause)

    def kill(self, ctx: JobContext) -> None:
        """The handler does not listen: record why, then kill this process; subprocesses follow.

        Others may share the process and start again elsewhere: its next attempt runs alone.
        A worker that is stopping is killed by whoever stops it, once its jobs are handed over.
        """
        if ctx.stop_reason is HandedOver:
            with suppress(LeaseLost):  # the handler heard it after all
                self._interrupted(ctx, HandedOver())
            return
        log.error("handler ignores its stop, killing the process", job_id=str(ctx.job_id))
        try:
            if ctx.stop_reason is Cancelled:
                self._end(ctx, lifecycle.cancelled(HowStopped.KILLED))
            elif ctx.stop_reason is TimeLimitReached:
                self._failed(ctx, over_limit(ctx.claimed), queue=alone(ctx.claimed.queue))
        finally:
            self.die()


def _logged(ctx: JobContext, exc: Exception) -> dict[str, Any]:
    """What the process's log is told; of a sensitive job only what failed where, not about what."""
    if not ctx.is_sensitive:
        return {"exc_info": exc}
    frames = traceback.extract_tb(exc.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    return {"failure": type(exc).__name__, "places": places}
