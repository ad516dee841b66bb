"""What can be told to stop: an attempt, by its process's heartbeat or by its worker's end."""

from collections.abc import Callable
from threading import Event

from stellwerk.jobs.interruptions import Interruption


class Stoppable:
    """Carries the reason to stop from the thread that knows it to the one that runs the handler."""

    def __init__(self, is_draining: Callable[[], bool]) -> None:
        self._is_draining = is_draining
        self._stopped = Event()
        self._stop_reason: type[Interruption] | None = None

    @property
    def cancelled(self) -> bool:
        """Whether the handler should stop, for whatever reason."""
        return self._stopped.is_set()

    @property
    def draining(self) -> bool:
        """Whether the worker wants to stop and hand the job over."""
        return self._is_draining()

    def stop(self, reason: type[Interruption]) -> None:
        """Called by the heartbeat thread: the next `check` raises this."""
        if self._stop_reason is None:
            self._stop_reason = reason
        self._stopped.set()

    @property
    def stop_reason(self) -> type[Interruption] | None:
        """Why it was told to stop: LeaseLost, Cancelled, TimeLimitReached or HandedOver."""
        return self._stop_reason

    def check(self) -> None:
        """Raise the interruption that is due, if any; long loops call this."""
        if self._stop_reason is not None:
            raise self._stop_reason

    def should_stop(self) -> bool:
        """`check` for code that asks; it never answers True, since it raises instead."""
        self.check()
        return False

    def sleep(self, seconds: float) -> None:
        """Sleep, but wake up to be interrupted."""
        self._stopped.wait(seconds)
        self.check()
