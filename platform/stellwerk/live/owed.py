"""What could not be shown while Redis was gone, shown as soon as it is back.

Otherwise an answer of before the outage would stand until it expires.
"""

from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread
from uuid import UUID

MOST = 10_000  # jobs remembered; the oldest are dropped, and their status expires by itself

Argument = bytes | str | int
Call = tuple[UUID, list[Argument]]  # a job, and the arguments of the script that shows it


class Owed:
    """The latest unsent call of each job; a thread of its own sends them, and ends."""

    def __init__(self, send: Callable[[Sequence[Call]], bool], *, every_s: float) -> None:
        self._send = send
        self._every_s = every_s
        self._calls: dict[UUID, Call] = {}
        self._lock = Lock()
        self._thread: Thread | None = None

    def add(self, calls: Sequence[Call]) -> None:
        """Remember calls that failed."""
        with self._lock:
            for call in calls:
                self._calls.pop(call[0], None)
                self._calls[call[0]] = call
            for job_id in list(self._calls)[:-MOST]:
                del self._calls[job_id]
            if self._thread is None:
                self._thread = Thread(target=self._repay, name="live-owed", daemon=True)
                self._thread.start()

    def _repay(self) -> None:
        never = Event()
        while not never.wait(self._every_s):
            with self._lock:
                calls = list(self._calls.values())
            if self._send(calls) and self._is_even_after(calls):
                return

    def _is_even_after(self, sent: Sequence[Call]) -> bool:
        with self._lock:
            for call in sent:
                if self._calls.get(call[0]) is call:
                    del self._calls[call[0]]
            if not self._calls:
                self._thread = None
            return not self._calls
