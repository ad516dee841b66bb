"""Ctrl-C and SIGTERM: the first asks for an orderly end, the second for one at once."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

URGENT = 2


class Stop:
    """Counts the requests to stop; safe to read at any moment."""

    def __init__(self) -> None:
        self._requests = 0

    @property
    def requested(self) -> bool:
        """Somebody asked once or more."""
        return self._requests > 0

    @property
    def urgent(self) -> bool:
        """Somebody asked twice or more."""
        return self._requests >= URGENT

    def request(self) -> None:
        """Ask as a signal would."""
        self._requests += 1

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Count SIGINT, SIGTERM and SIGHUP while inside; main thread only.

        A SIGHUP that is ignored (nohup) stays so.
        """
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, self._count) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def wait(self, seconds: float) -> None:
        """Pause, but not after a request."""
        if not self.requested:
            self.pause(seconds)

    def pause(self, seconds: float) -> None:
        """Let time pass; signals are counted meanwhile."""
        time.sleep(seconds)

    def _count(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._requests += 1
