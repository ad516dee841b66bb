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
    """The attempts of this process that nobody was told of; its thread starts with the first.

    The thread is woken by an attempt only where none began for a moment: beside attempts that end
    at once it looks every `after_s`, rather than once for each.
    """

    def __init__(self, *, after_s: float = SOON_S) -> None:
        self._after_s = after_s
        self._due: dict[object, tuple[float, Show]] = {}  # monotonic; the oldest first
        self._changed = Condition()
        self._has_begun = False  # an attempt, since the thread looked last
        self._is_asleep = False
        self._thread: Thread | None = None

    @contextmanager
    def shown_soon(self, show: Show) -> Iterator[None]:
        """Call `show` unless the block is over before."""
        place = object()
        with self._changed:
            self._due[place] = (time.monotonic() + self._after_s, show)
            self._has_begun = True
            if self._thread is None:
                self._thread = Thread(target=self._run, name="beginnings", daemon=True)
                self._thread.start()
            elif self._is_asleep:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._due.pop(place, None)

    def _run(self) -> None:
        while True:
            time.sleep(self._until_next_s())
            for show in self._take():
                try:
                    show()
                except Exception:  # the thread's edge: later attempts are to be shown
                    log.exception("not shown that it runs")

    def _until_next_s(self) -> float:
        """How long until something may be due; where nothing begins, sleeps until it does."""
        with self._changed:
            if not (self._due or self._has_begun):
                self._is_asleep = True
                self._changed.wait_for(lambda: self._has_begun)
                self._is_asleep = False
            self._has_begun = False
            now = time.monotonic()
            due_at = next((at for at, _ in self._due.values()), now + self._after_s)
            return max(0.0, due_at - now)

    def _take(self) -> list[Show]:
        """What is due now."""
        with self._changed:
            now = time.monotonic()
            due = [place for place, (at, _) in self._due.items() if at <= now]
            return [self._due.pop(place)[1] for place in due]
