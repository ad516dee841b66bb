"""Tells Redis that this worker is there, and what it got done in the last minute.

Celery's parent process speaks; its children count what ends in memory they share with it. Each
process has a row of its own in there (two whose pids fall on one row may lose a count).
"""

import mmap
import os
import struct
import time
from collections import deque
from functools import cache
from threading import Lock
from typing import Any

from celery.signals import heartbeat_sent, task_postrun, worker_init, worker_shutdown

from celeryconfig import QUEUES
from stellwerk.broker.calls import LIST_TASK
from stellwerk.gate import Gate
from stellwerk.live.client import LiveClient
from stellwerk.live.workers import Worker, Workers
from stellwerk.settings import settings

TOLD_EVERY_S = 4.0
MINUTE_S = 60.0
ROWS = 128
ENDED = frozenset({"SUCCESS", "FAILURE"})
_CELL = struct.Struct("Q")

_counts = mmap.mmap(-1, ROWS * len(QUEUES) * _CELL.size)
_counting = Lock()


def count(queue: str, jobs: int = 1) -> None:
    """Note that jobs of a queue completed or failed in this process."""
    if queue not in QUEUES:
        return
    place = _place(os.getpid() % ROWS, queue)
    with _counting:
        _CELL.pack_into(_counts, place, _CELL.unpack_from(_counts, place)[0] + jobs)


class Presence:
    """The worker, as it tells of itself."""

    def __init__(self, worker: Any, workers: Workers) -> None:
        self._worker = worker
        self._workers = workers
        self._tell_at = 0.0  # monotonic
        self._seen: deque[tuple[float, dict[str, int]]] = deque()  # monotonic, totals by queue

    def tell(self) -> None:
        """Say that it is there, if that was not said a moment ago."""
        now = time.monotonic()
        if now < self._tell_at:
            return
        self._tell_at = now + TOLD_EVERY_S
        self._workers.tell(
            Worker(
                name=self._worker.hostname,
                slots=self._worker.concurrency,
                queues=tuple(sorted(self._worker.app.amqp.queues.consume_from)),
                ended_last_minute=self._ended_last_minute(now),
            )
        )

    def withdraw(self) -> None:
        """Say that it ends."""
        self._workers.withdraw(self._worker.hostname)

    def _ended_last_minute(self, now: float) -> dict[str, int]:
        totals = {queue: _total(queue) for queue in QUEUES}
        self._seen.append((now, totals))
        while self._seen[0][0] < now - MINUTE_S:
            self._seen.popleft()
        before = self._seen[0][1]
        return {queue: totals[queue] - before[queue] for queue in QUEUES if totals[queue]}


@cache
def _presence(worker: Any) -> Presence:
    gate = Gate(settings().redis_pause_s)
    timeout_s = settings().redis_timeout_s
    return Presence(worker, Workers(LiveClient(settings().redis(), timeout_s=timeout_s, gate=gate)))


def _total(queue: str) -> int:
    return sum(_CELL.unpack_from(_counts, _place(row, queue))[0] for row in range(ROWS))


def _place(row: int, queue: str) -> int:
    return (row * len(QUEUES) + QUEUES.index(queue)) * _CELL.size


@worker_init.connect
def _begin(sender: Any, **_: Any) -> None:
    presence = _presence(sender)
    heartbeat_sent.connect(lambda **_: presence.tell(), weak=False, dispatch_uid="presence")
    worker_shutdown.connect(lambda **_: presence.withdraw(), weak=False, dispatch_uid="presence")


@task_postrun.connect
def _count(task: Any, state: str, **_: Any) -> None:
    if state in ENDED and task.name != LIST_TASK:  # lists count their jobs themselves
        count(str((task.request.delivery_info or {}).get("routing_key")))
