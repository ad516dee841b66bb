"""Task events for what Celery itself cannot see, so that Flower shows what the ledger has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from stellwerk.jobs.ports import Wakeup
from stellwerk.jobs.states import JobStatus

log = structlog.get_logger()

ENDED_EVENTS: dict[JobStatus | None, tuple[str, dict[str, Any]]] = {
    JobStatus.COMPLETED: ("task-succeeded", {"result": "", "runtime": 0.0}),
    JobStatus.FAILED: ("task-failed", {"exception": "see the job", "traceback": ""}),
    JobStatus.CANCELLED: ("task-revoked", {"terminated": True, "signum": "", "expired": False}),
}


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt that ended without its worker, and the state its job is in now."""

    wakeup: Wakeup
    status: JobStatus


class Announcer:
    """Sends task events in the name of workers that cannot any more."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def announce(self, lost: Sequence[Lost]) -> None:
        """One event for each lost attempt; a broker that is gone hears nothing, by design."""
        try:
            with self._app.connection_for_write() as connection:
                dispatcher = self._app.events.Dispatcher(connection, enabled=True)
                for item in lost:
                    _send(dispatcher, item)
        except (KombuError, RedisError, OSError) as exc:
            log.warning("events not sent", reason=str(exc))


def _send(dispatcher: Any, item: Lost) -> None:
    status = JobStatus.CANCELLED if item.status is JobStatus.CANCELLED else JobStatus.FAILED
    event, fields = ENDED_EVENTS[status]
    if status is JobStatus.FAILED:
        fields = fields | {"exception": "its worker vanished"}
    name = item.wakeup.operation
    dispatcher.send(event, uuid=item.wakeup.task_id, name=name, retry=False, **fields)
