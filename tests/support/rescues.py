"""How long the jobs that a kill took from their workers wait for their next attempt.

A kill takes the jobs that were running, and the wake-ups that the worker had in hand: those whose
job counts as published while the broker no longer holds their message. The ledger alone is read.
"""

import re
import time
from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress
from threading import Event, Lock, Thread
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.bootstrap import Platform
from stellwerk.broker.messages import queue_key

LOOK_EVERY_S = 0.2
# Beside the lease: the sweep, a worker's start, a free slot. Together 45 s with default settings.
RESCUE_MARGIN_S = 15.0

_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AT_WORK = text("""
    SELECT id, attempt, status = 'queued' AS is_waiting FROM jobs
    WHERE queue = ANY(:queues)
        AND (status = 'running' OR status = 'queued' AND published_at IS NOT NULL)
""")
_NOW = text("SELECT id, attempt, finished_at IS NOT NULL AS is_over FROM jobs WHERE id = ANY(:ids)")


class Rescues:
    """Watches what kills took, on a thread of its own, until it is told to stop."""

    def __init__(self, platform: Platform) -> None:
        self.slowest: tuple[float, UUID] | None = None  # seconds, job
        self.count = 0  # how many came again
        self._platform = platform
        self._taken: dict[tuple[UUID, int], float] = {}  # when that attempt was killed, monotonic
        self._fault: BaseException | None = None
        self._lock = Lock()
        self._stopping = Event()
        self._thread = Thread(target=self._watch, name="rescues")
        self._thread.start()

    def struck(self, queues: Sequence[str]) -> None:
        """A worker of these queues, or a child of one, was killed just now."""
        killed_at = time.monotonic()
        taken = self.in_hand(queues)
        with self._lock:
            for attempt in taken:
                self._taken.setdefault(attempt, killed_at)

    def in_hand(self, queues: Sequence[str]) -> set[tuple[UUID, int]]:
        """Attempts that a worker of these queues has begun, or has the wake-ups of."""
        with self._platform.runtime.sessions() as session:
            rows = session.execute(_AT_WORK, {"queues": list(queues)}).all()
        held = self._held_by_broker(queues)
        return {(row.id, row.attempt) for row in rows if not (row.is_waiting and row.id in held)}

    @property
    def slowest_s(self) -> float | None:
        """The longest wait; None where nothing was taken."""
        return self.slowest and self.slowest[0]

    def left(self) -> list[UUID]:
        """Jobs that were taken and have neither come again nor ended; raises what stopped it."""
        if self._fault:
            raise self._fault
        with self._lock:
            return sorted({job_id for job_id, _ in self._taken})

    def stop(self) -> None:
        """End the thread, after a last look; raises what stopped it before."""
        self._stopping.set()
        self._thread.join()
        if self._fault:
            raise self._fault
        self._look()

    def _held_by_broker(self, queues: Sequence[str]) -> set[UUID]:
        redis = self._platform.live_client.redis
        messages = [one for queue in queues for one in redis.lrange(queue_key(queue), 0, -1)]
        return {job_id for message in messages for job_id in _jobs_of(message)}

    def _watch(self) -> None:
        try:
            while not self._stopping.wait(LOOK_EVERY_S):
                with suppress(SQLAlchemyError):  # the ledger may be what is broken
                    self._look()
        except BaseException as exc:  # noqa: BLE001  raised where somebody asks
            self._fault = exc

    def _look(self) -> None:
        with self._lock:
            taken = dict(self._taken)
        with self._platform.runtime.sessions() as session:
            rows = session.execute(_NOW, {"ids": [job_id for job_id, _ in taken]}).all()
        now = {row.id: row for row in rows}
        for (job_id, attempt), killed_at in taken.items():
            row = now.get(job_id)
            if row is None:  # it counts as left: nobody may remove a job that was taken
                continue
            if row.attempt > attempt:
                self.count += 1
                wait = time.monotonic() - killed_at, job_id
                self.slowest = max(self.slowest or wait, wait)
            if row.attempt > attempt or row.is_over:  # over without another: it was not taken
                with self._lock:
                    del self._taken[job_id, attempt]


def _jobs_of(message: bytes | str) -> list[UUID]:
    body = b64decode(orjson.loads(message)["body"])
    return [UUID(found.decode()) for found in _UUID.findall(body)]
