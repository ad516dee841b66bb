"""What Flower is told of jobs that travelled in lists: one message for many events."""

import time
from collections.abc import Sequence
from threading import Lock
from typing import Any

import structlog
from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from stellwerk.broker.events import ENDED_EVENTS
from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.states import JobStatus
from stellwerk_workers.finisher import Told
from stellwerk_workers.reports import Came

log = structlog.get_logger()


class GroupedEvents:
    """Sends the last event of each attempt, with the fields that Flower has from earlier ones."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._dispatcher: Any = None
        self._lock = Lock()

    def tell(self, told: Sequence[Told]) -> None:
        """All in one message; a broker that is gone hears nothing, by design."""
        if not told:
            return
        with self._lock:
            try:
                self._send(told)
            except (KombuError, RedisError, OSError) as exc:
                log.warning("events not sent", reason=str(exc))
                self._dispatcher = None

    def _send(self, told: Sequence[Told]) -> None:
        self._dispatcher = self._dispatcher or self._connect(told[0].claimed.worker)
        for item in told:
            event = _event(item)
            if event:
                self._dispatcher.send(event[0], **event[1])
        self._dispatcher.flush()

    def _connect(self, hostname: str) -> Any:
        return self._app.events.Dispatcher(
            self._app.connection_for_write(),
            hostname=hostname,
            buffer_group=frozenset({"task"}),
            buffer_limit=1_000_000,  # `flush` decides
        )


def _event(item: Told) -> tuple[str, dict[str, Any]] | None:
    claimed, reason = item.claimed, item.report.reason
    if item.report.came is Came.NOTHING:
        return None
    if item.report.came is Came.AGAIN:
        kind, fields = "task-retried", {"exception": reason, "traceback": ""}
    else:
        kind, fields = ENDED_EVENTS[JobStatus(item.report.came.value)]
    if item.report.came is Came.FAILED:
        fields = fields | {"exception": reason}
    name, now = claimed.operation.name, time.time()
    wakeup = Wakeup(claimed.job_id, claimed.attempt - 1, name, claimed.queue)
    began = {"received": now - item.ran_s, "started": now - item.ran_s}
    args = repr((str(claimed.job_id), claimed.attempt - 1))
    known = {"uuid": wakeup.task_id, "name": name, "args": args, "kwargs": "{}", **began}
    return kind, {**known, **fields, "runtime": item.ran_s}
