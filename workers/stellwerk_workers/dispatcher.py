"""The dispatcher process: publishes what is due and rescues what was left. Any number may run."""

import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event
from types import FrameType
from typing import TypeVar

import structlog
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from celeryconfig import QUEUES
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.broker.events import Announcer, Lost
from stellwerk.broker.publisher import publishing_app
from stellwerk.broker.redis_publisher import is_plain_redis
from stellwerk.db.engine import is_outage
from stellwerk.gate import Gate
from stellwerk.jobs import dispatch, families, telling
from stellwerk.jobs.depths import queue_depths
from stellwerk.jobs.pace import Pace
from stellwerk.jobs.runtime import Runtime
from stellwerk.live.client import LiveClient
from stellwerk.live.depths import QueueDepths
from stellwerk.live.epoch import set_mark, was_emptied
from stellwerk.logs import configure_logs
from stellwerk.schedules.firing import fire_due
from stellwerk.settings import settings
from stellwerk_workers.coming_due import ComingDue
from stellwerk_workers.popped import Popped
from stellwerk_workers.reshowing import Reshowing

log = structlog.get_logger()

SWEEP_EVERY_S = 1.0
OUTAGE_PAUSE_S = 1.0
BUSY_PAUSE_S = 0.05  # between turns while windows fill up

Done = TypeVar("Done")

_STEPS: Sequence[Callable[[Runtime], int]] = (
    dispatch.wake_overdue_waits,
    fire_due,
    families.cancel_abandoned,
    families.tell_parents,
    telling.tell_owed,
)


class Dispatcher:
    """One loop; `run` returns after `stop`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._announcer = Announcer(publishing_app(platform.settings.broker()))
        self._broker = broker_client(platform)
        self._paces = {queue: Pace(platform.settings, queue) for queue in QUEUES}
        self._popped = self._broker and Popped(platform.runtime.sessions, self._broker, QUEUES)
        self._coming_due = ComingDue(platform.runtime)
        self._reshowing = Reshowing(platform)
        self._stopping = Event()
        self._sweep_after = 0.0  # monotonic
        self._rescue_after = 0.0  # monotonic
        self._spare_leases()
        event.listen(platform.engine, "connect", self._spare_leases)

    def stop(self, signum: int = 0, frame: FrameType | None = None) -> None:  # noqa: ARG002  a signal handler
        """End the loop at its next turn."""
        self._stopping.set()

    def run(self) -> None:
        """Turn until stopped; an outage of Postgres is waited out."""
        pause_s = interval_s = self._platform.settings.job_dispatch_interval_s
        log.info("dispatcher runs")
        while not self._stopping.wait(pause_s):
            try:
                is_busy = self.turn()
                pause_s = min(BUSY_PAUSE_S, interval_s) if is_busy else interval_s
            except SQLAlchemyError as exc:
                log.warning("Postgres is gone", reason=str(exc).splitlines()[0])
                self._spare_leases()
                pause_s = OUTAGE_PAUSE_S

    def turn(self) -> bool:
        """Publish, and once a second, rescue; whether there was anything to publish.

        Raises SQLAlchemyError where Postgres is gone; nothing else that fails ends a turn.
        """
        self._try(self._heed_emptied_broker)
        published = self._try(self._publish) or 0
        if time.monotonic() >= self._sweep_after:
            self._sweep()
        return published > 0

    def _publish(self) -> int:
        return dispatch.publish_all_due(self._platform.runtime, self._paces)

    def _try(self, step: Callable[[], Done]) -> Done | None:
        """Do one of the things of a turn; none may keep the dispatcher from the others."""
        try:
            return step()
        except Exception as exc:  # the process's edge
            if is_outage(exc):
                raise
            log.exception("a step of the turn failed")
            return None

    def _heed_emptied_broker(self) -> None:
        """The mark is set last: whoever is killed before leaves it to the next."""
        if self._broker and was_emptied(self._broker):
            count = dispatch.forget_published(self._platform.runtime)
            set_mark(self._broker)
            log.warning("the broker came up empty, wake-ups go out again", count=count)

    def _sweep(self) -> None:
        """Rescue first: that is what a step which takes long keeps waiting least."""
        self._sweep_after = time.monotonic() + SWEEP_EVERY_S
        runtime = self._platform.runtime
        self._try(self._rescue)
        self._try(self._look_for_lost)
        for step in _STEPS:
            self._try(partial(step, runtime))
        self._try(self._coming_due.look)
        self._try(self._reshowing.look)
        self._try(self._tell_depths)

    def _look_for_lost(self) -> None:
        if self._popped:
            for queue, moment in self._popped.look().items():
                self._paces[queue].lost_before = moment

    def _rescue(self) -> None:
        if time.monotonic() < self._rescue_after:
            return
        rescued = dispatch.rescue_expired(self._platform.runtime)
        if rescued:
            log.warning("leases expired, jobs start again", count=len(rescued))
            self._announcer.announce([Lost(wakeup, status) for wakeup, status in rescued])

    def _tell_depths(self) -> None:
        """So that polls can say when to look again."""
        with self._platform.runtime.sessions() as session:
            depths = queue_depths(session, QUEUES)
        QueueDepths(self._platform.live_client).show(depths)

    def _spare_leases(self, *_: object) -> None:
        """At the start and with every new connection: workers could not renew their leases either.

        They are given two heartbeats first.
        """
        spare_s = 2 * self._platform.settings.job_heartbeat_s
        self._rescue_after = time.monotonic() + spare_s


def broker_client(platform: Platform) -> LiveClient | None:
    """The Redis that holds the wake-ups; None where another kind of broker does."""
    settings = platform.settings
    if settings.broker() == settings.redis():
        return platform.live_client
    if not is_plain_redis(settings.broker()):
        return None
    gate = Gate(settings.redis_pause_s)
    return LiveClient(settings.broker(), timeout_s=settings.redis_timeout_s, gate=gate)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    configure_logs(settings(), role="dispatcher")
    platform = bootstrap(settings(), role="dispatcher", pool_size=1)
    dispatcher = Dispatcher(platform)
    signal.signal(signal.SIGTERM, dispatcher.stop)
    signal.signal(signal.SIGINT, dispatcher.stop)
    try:
        dispatcher.run()
    finally:
        platform.close()


if __name__ == "__main__":
    main()
