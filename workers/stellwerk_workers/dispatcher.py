"""The dispatcher process: publishes what is due and rescues what was left. Any number may run."""

import signal
import time
from threading import Event
from types import FrameType

import structlog
from sqlalchemy.exc import SQLAlchemyError

from celeryconfig import QUEUES
from stellwerk.bootstrap import Platform, bootstrap
from stellwerk.broker.events import Announcer, Lost
from stellwerk.broker.publisher import publishing_app
from stellwerk.jobs import dispatch
from stellwerk.live.epoch import was_emptied
from stellwerk.logs import configure_logs
from stellwerk.schedules.firing import fire_due
from stellwerk.settings import settings

log = structlog.get_logger()

SWEEP_EVERY_S = 1.0
OUTAGE_PAUSE_S = 1.0


class Dispatcher:
    """One loop; `run` returns after `stop`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._announcer = Announcer(publishing_app(platform.settings.broker()))
        self._stopping = Event()
        self._sweep_after = 0.0  # monotonic

    def stop(self, signum: int = 0, frame: FrameType | None = None) -> None:  # noqa: ARG002  a signal handler
        """End the loop at its next turn."""
        self._stopping.set()

    def run(self) -> None:
        """Turn until stopped; an outage of Postgres is waited out."""
        interval_s = self._platform.settings.job_dispatch_interval_s
        log.info("dispatcher runs")
        while not self._stopping.wait(interval_s):
            try:
                self.turn()
            except SQLAlchemyError as exc:
                log.warning("turn failed", reason=str(exc).splitlines()[0])
                self._spare_leases()
                self._stopping.wait(OUTAGE_PAUSE_S)

    def turn(self) -> None:
        """Publish; and once a second, rescue."""
        runtime = self._platform.runtime
        if was_emptied(self._platform.live_client):
            count = dispatch.forget_published(runtime)
            log.warning("the broker came up empty, wake-ups go out again", count=count)
        for queue in QUEUES:
            dispatch.publish_due(runtime, queue)
        if time.monotonic() >= self._sweep_after:
            self._sweep()

    def _sweep(self) -> None:
        self._sweep_after = time.monotonic() + SWEEP_EVERY_S
        dispatch.wake_overdue_waits(self._platform.runtime)
        fire_due(self._platform.runtime)
        rescued = dispatch.rescue_expired(self._platform.runtime)
        if rescued:
            log.warning("leases expired, jobs start again", count=len(rescued))
            self._announcer.announce([Lost(wakeup, status) for wakeup, status in rescued])

    def _spare_leases(self) -> None:
        """Workers could not renew during the outage: give them two heartbeats first."""
        spare_s = 2 * self._platform.settings.job_heartbeat_s
        self._sweep_after = time.monotonic() + spare_s


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    configure_logs(settings())
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
