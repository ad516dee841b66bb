"""One thread per process that renews leases, brings cancels, and enforces time limits."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, Lock, Thread
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from stellwerk.jobs.context import JobContext
from stellwerk.jobs.interruptions import (
    Cancelled,
    HandedOver,
    LeaseLost,
    TimeLimitReached,
)
from stellwerk.jobs.runtime import Runtime

TICK_S = 0.5
HAND_OVER_BEFORE_S = 5.0  # of the grace that a stopping worker has; the kill follows it
UNHEARD_S = 2.0  # a handler that does not hear of the hand-over is handed over all the same
QUIET_S = 5.0  # younger attempts are left alone: most jobs end before

log = structlog.get_logger()

# An expired lease may be renewed while its attempt still stands.
_RENEW = text("""
    UPDATE jobs SET lease_until = greatest(lease_until, now() + :lease)
    WHERE id IN (SELECT id FROM jobs WHERE id = ANY(:ids) AND lease_token = ANY(:tokens)
                 AND finished_at IS NULL FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING lease_token
""")
_STANDING = text("""
    SELECT lease_token, cancel_requested_at IS NOT NULL AND ending IS NULL AS is_cancelled FROM jobs
    WHERE id = ANY(:ids) AND lease_token = ANY(:tokens) AND finished_at IS NULL
""")
_ASYNC_COMMIT = text("SET LOCAL synchronous_commit = off")


@dataclass(slots=True)
class Watched:
    """An attempt under way in this process."""

    ctx: JobContext
    kill: Callable[[JobContext], None]
    started_at: float = field(default_factory=time.monotonic)
    renewed_at: float = field(default_factory=time.monotonic)
    stopped_at: float | None = None

    @property
    def age_s(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.started_at

    def ignored_for_s(self) -> float:
        """How long the handler has not listened to being stopped."""
        if self.ctx.stop_reason is None:
            return 0.0
        self.stopped_at = self.stopped_at or time.monotonic()
        return time.monotonic() - self.stopped_at


class Heartbeat:
    """Watches every attempt of this process; starts its thread with the first."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._watched: dict[UUID, Watched] = {}  # by token
        self._looks: set[Callable[[], None]] = set()
        self._lock = Lock()
        self._stopping = Event()
        self._thread: Thread | None = None
        self._drains_since: float | None = None  # monotonic

    @contextmanager
    def watch(self, ctx: JobContext, kill: Callable[[JobContext], None]) -> Iterator[None]:
        """Keep the attempt's lease while the block runs."""
        with self._lock:
            self._watched[ctx.claimed.token] = Watched(ctx, kill)
            self._start()
        try:
            yield
        finally:
            with self._lock:
                del self._watched[ctx.claimed.token]

    @contextmanager
    def calling(self, look: Callable[[], None]) -> Iterator[None]:
        """Also call `look` twice a second while the block runs."""
        with self._lock:
            self._looks.add(look)
            self._start()
        try:
            yield
        finally:
            with self._lock:
                self._looks.discard(look)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._beat, name="heartbeat", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread:
            self._thread.join(timeout=5)

    def _beat(self) -> None:
        while not self._stopping.wait(TICK_S):
            try:
                self._tick()
            except DBAPIError as exc:  # the lease's own deadline guards what happens then
                log.warning("heartbeat missed", reason=str(exc).splitlines()[0])
            except Exception:  # the thread's edge: without it every lease of this process expires
                log.exception("heartbeat failed")

    def _tick(self) -> None:
        with self._lock:
            watched = [item for item in self._watched.values() if item.age_s > TICK_S]
            looks = list(self._looks)
        if watched:
            self._enforce_limits(watched)
            self._look_after(watched)
        for look in looks:
            look()

    def _look_after(self, watched: list[Watched]) -> None:
        values = {
            "ids": [item.ctx.job_id for item in watched],
            "tokens": [item.ctx.claimed.token for item in watched],
        }
        with self._runtime.sessions() as session:
            rows = session.execute(_STANDING, values)
            standing: dict[UUID, bool] = {row.lease_token: row.is_cancelled for row in rows}
        for item in watched:
            token = item.ctx.claimed.token
            if token not in standing:
                item.ctx.stop(LeaseLost)
            elif standing[token]:
                item.ctx.stop(Cancelled)
        self._renew([item for item in watched if self._is_due(item)])

    def _is_due(self, item: Watched) -> bool:
        heartbeat_s = self._runtime.settings.job_heartbeat_s
        since_s = time.monotonic() - item.renewed_at
        return item.age_s > min(QUIET_S, heartbeat_s) and since_s > heartbeat_s

    def _renew(self, due: list[Watched]) -> None:
        if not due:
            return
        asked_at = time.monotonic()
        lease_s = self._runtime.settings.job_lease_s
        values = {
            "ids": [item.ctx.job_id for item in due],
            "tokens": [item.ctx.claimed.token for item in due],
            "lease": timedelta(seconds=lease_s),
        }
        with self._runtime.sessions.begin() as session:
            session.execute(_ASYNC_COMMIT)
            renewed = set(session.scalars(_RENEW, values))
        for item in due:
            if item.ctx.claimed.token in renewed:
                item.renewed_at = asked_at
                item.ctx.lease_deadline = max(item.ctx.lease_deadline, asked_at + lease_s)
        self._runtime.board.keep([item.ctx.job_id for item in due])

    def _enforce_limits(self, watched: list[Watched]) -> None:
        grace_s = self._runtime.settings.job_kill_grace_s
        for item in watched:
            if item.ctx.is_settling:
                continue
            over_s = item.age_s - item.ctx.claimed.operation.time_limit_s
            if over_s > 0:
                item.ctx.stop(TimeLimitReached)
            elif self._is_about_to_be_killed(item.ctx):
                item.ctx.stop(HandedOver)
            patience_s = UNHEARD_S if item.ctx.stop_reason is HandedOver else grace_s
            if item.ignored_for_s() > patience_s:
                item.kill(item.ctx)

    def _is_about_to_be_killed(self, ctx: JobContext) -> bool:
        """Whether the worker has been stopping for so long that its grace is nearly used up."""
        if not ctx.draining:
            return False
        self._drains_since = self._drains_since or time.monotonic()
        grace_s = self._runtime.settings.shutdown_grace_s
        left_s = grace_s - (time.monotonic() - self._drains_since)
        return left_s < min(HAND_OVER_BEFORE_S, grace_s / 2)
