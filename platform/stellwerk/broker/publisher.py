"""Publishes wake-ups through Celery, by task name, without waiting for a broker that is gone.

For every broker but a plain Redis, which has a quicker way: redis_publisher.py.
"""

from collections.abc import Sequence

from celery import Celery
from kombu import Producer
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

import celeryconfig
from stellwerk.broker.calls import Call, Grouping
from stellwerk.errors import Unavailable
from stellwerk.gate import Gate
from stellwerk.jobs.ports import Board, Change, Wakeup

BROKER_TIMEOUT_S = 0.5


def publishing_app(broker_url: str) -> Celery:
    """A Celery client that knows the queues and no tasks, and gives up after half a second."""
    app = Celery("stellwerk", broker=broker_url, set_as_current=False)
    app.config_from_object(celeryconfig)
    app.conf.broker_transport_options = {
        **celeryconfig.broker_transport_options,
        "socket_timeout": BROKER_TIMEOUT_S,
        "socket_connect_timeout": BROKER_TIMEOUT_S,
        "max_retries": 0,
    }
    app.conf.broker_connection_timeout = BROKER_TIMEOUT_S
    return app


class CeleryPublisher:
    """The `Publisher` of jobs.ports."""

    def __init__(self, app: Celery, gate: Gate, board: Board, grouping: Grouping) -> None:
        self._app = app
        self._gate = gate
        self._board = board
        self._grouping = grouping

    def publish(self, wakeups: Sequence[Wakeup]) -> None:
        """Send each as a task named after its operation; raises Unavailable."""
        if not self._gate.is_open():
            raise Unavailable("The broker did not answer a moment ago.")
        try:
            with self._app.producer_pool.acquire(block=True, timeout=1) as producer:
                for call in self._grouping.calls(wakeups):
                    self._send(call, producer)
        except (KombuError, RedisError, OSError) as exc:
            self._gate.trip()
            raise Unavailable(f"The broker does not answer: {exc}") from exc
        self._gate.recover()

    def announce(self, changes: Sequence[Change], wakeups: Sequence[Wakeup]) -> None:
        """See `Publisher.announce`."""
        self._board.show(changes)
        self.publish(wakeups)

    def is_paused(self) -> bool:
        """See `Publisher.is_paused`."""
        return self._gate.is_shut()

    def _send(self, call: Call, producer: Producer) -> None:
        self._app.send_task(
            call.name,
            args=tuple(call.args),
            task_id=call.task_id,
            queue=call.queue,
            producer=producer,
            retry=False,
            ignore_result=True,
        )
