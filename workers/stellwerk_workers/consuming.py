"""How a worker takes wake-ups from the broker, at less than half of what Celery spends by default.

A wake-up may be lost or repeated at any time (docs/decisions/0001-postgres-is-the-truth.md), so on
Redis nobody keeps a list of those that are not acknowledged; and events of tasks go out together,
ten times a second, instead of at every turn of the loop.
"""

from typing import Any

from celery import Celery
from celery.worker import state
from celery.worker.consumer import Consumer
from celery.worker.request import Request
from kombu import Queue

from celeryconfig import QUEUES
from stellwerk.broker.redis_publisher import is_plain_redis

EVENTS_EVERY_S = 0.1


class TaskConsumer(Consumer):
    """Celery's consumer, but for when it sends events."""

    _flushing: Any = None
    _flush_events: Any  # Celery's, which its type hints leave out, as are these two
    hub: Any
    pool: Any
    _found_full = False  # its loop asks for no wake-up, since all slots were taken

    def on_send_event_buffered(self) -> None:  # type: ignore[override]  # celery-types takes the method for a property
        """Leave it to the timer; but where a thread's slot became free, its loop is to look again.

        The loop sleeps until something comes in, and while all slots are taken it asks for nothing.
        """
        if self.hub and self._found_full and not self._is_full():
            self._found_full = False
            self.hub.call_soon(_nothing)

    def _look(self) -> None:
        self._found_full = self._is_full()

    def _is_full(self) -> bool:
        return len(state.reserved_requests) >= int(self.pool.num_processes)

    def register_with_event_loop(self, hub: Any) -> None:
        """Once for every connection to the broker."""
        super().register_with_event_loop(hub)
        hub.on_tick.add(self._look)
        if self._flushing:
            self._flushing.cancel()
        self._flushing = hub.call_repeatedly(EVENTS_EVERY_S, self._flush_events)

    def shutdown(self) -> None:
        """Nothing follows: send what is left."""
        self._flush_events()
        super().shutdown()


def _nothing() -> None:
    """Called by the loop, which then asks for wake-ups."""


class UnacknowledgedRequest(Request):
    """A task whose message was gone from the broker when it was handed out."""

    def acknowledge(self) -> None:
        """Nothing to tell the broker."""
        self.acknowledged = True


def consume_cheaply(app: Celery, broker_url: str) -> None:
    """Set the application up; to be called before its tasks are made.

    Only Redis bounds what a worker takes without counting acknowledgements
    (`worker_disable_prefetch`); from other brokers it would take everything.
    """
    app.conf.worker_consumer = f"{__name__}:{TaskConsumer.__name__}"
    if is_plain_redis(broker_url):
        app.conf.task_queues = tuple(Queue(name, routing_key=name, no_ack=True) for name in QUEUES)
        app.Task.Request = f"{__name__}:{UnacknowledgedRequest.__name__}"
