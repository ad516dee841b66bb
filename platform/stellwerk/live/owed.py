"""What could not be shown while Redis was gone, shown as soon as it is back.

Otherwise an answer of before the outage would stand until it expires. It goes out in slices, each
small enough for one trip within the timeout, and what went through is not sent again.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, islice
from threading import Event, Lock, Thread
from uuid import UUID

SLICE = 200  # calls
SLICE_BYTES = 256 * 1024  # of their documents; a larger one goes alone
MOST = 10_000  # jobs remembered; the oldest are dropped, and their status expires by itself

Argument = bytes | str | int
Call = tuple[UUID, list[Argument]]  # a job, and the arguments of the script that shows it


class Owed:
    """The latest unsent call of each job; a thread of its own sends them, and ends.

    Nothing is sent any more once `closed` is set.
    """

    def __init__(
        self, send: Callable[[Sequence[Call]], bool], *, every_s: float, closed: Event
    ) -> None:
        self._send = send
        self._every_s = every_s
        self._closed = closed
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
        while not self._closed.wait(self._every_s):
            while due := self._due():
                if not self._send(due):
                    self._put_last(due)
                    break
                self._forget(due)
            if self._is_even():
                return

    def _due(self) -> list[Call]:
        """The next slice."""
        with self._lock:
            first = list(islice(self._calls.values(), SLICE))
        sizes = accumulate(map(_size_bytes, first))
        fitting = sum(size <= SLICE_BYTES for size in sizes)
        return first[: max(fitting, 1)]

    def _put_last(self, refused: Sequence[Call]) -> None:
        """What Redis perhaps never takes keeps the others from nothing."""
        with self._lock:
            for call in refused:
                if self._calls.get(call[0]) is call:
                    self._calls[call[0]] = self._calls.pop(call[0])

    def _forget(self, sent: Sequence[Call]) -> None:
        with self._lock:
            for call in sent:
                if self._calls.get(call[0]) is call:
                    del self._calls[call[0]]

    def _is_even(self) -> bool:
        with self._lock:
            if not self._calls:
                self._thread = None
            return not self._calls


def _size_bytes(call: Call) -> int:
    return sum(len(argument) for argument in call[1] if isinstance(argument, bytes))
