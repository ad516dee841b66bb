"""Shows that an attempt runs once it has run for a moment: most end before anybody could look.

For a job of a few milliseconds that was a seventh of what it cost its worker. Whoever shows
anything newer of the job meanwhile has shown this, too.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread

import structlog

SOON_S = 0.05

Show = Callable[[], None]
log = structlog.get_logger()


class Beginnings:
    """The attempts of this process that nobody was told of; its thread starts with the first."""

    def __init__(self, *, after_s: float = SOON_S) -> None:
        self._after_s = after_s
        self._due: dict[object, tuple[float, Show]] = {}  # monotonic; the oldest first
        self._changed = Condition()
        self._is_idle = False
        self._thread: Thread | None = None

    @contextmanager
    def shown_soon(self, show: Show) -> Iterator[None]:
        """Call `show` unless the block is over before."""
        place = object()
        with self._changed:
            self._due[place] = (time.monotonic() + self._after_s, show)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="beginnings", daemon=True)
                self._thread.start()
            elif self._is_idle:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._due.pop(place, None)

    def _run(self) -> None:
        while True:
            for show in self._take():
                try:
                    show()
                except Exception:  # the thread's edge: later attempts are to be shown
                    log.exception("not shown that it runs")

    def _take(self) -> list[Show]:
        """What is due now; waits for that, unless it is over before."""
        with self._changed:
            self._is_idle = True
            self._changed.wait_for(lambda: self._due)
            self._is_idle = False
            wait_s = next(iter(self._due.values()))[0] - time.monotonic()
            if wait_s > 0:
                self._changed.wait(wait_s)
            now = time.monotonic()
            due = [place for place, (at, _) in self._due.items() if at <= now]
            return [self._due.pop(place)[1] for place in due]
