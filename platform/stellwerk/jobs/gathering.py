"""Statements of several threads as one: whoever comes while one is under way is in the next.

Nobody waits for company: a lone thread carries its own at once. Each statement is carried by a
thread whose own is in it, and takes along all that had come by then, at most one of each thread.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

from sqlalchemy.exc import DBAPIError

from stellwerk.db.engine import may_pass

Item = TypeVar("Item")


@dataclass(eq=False, slots=True)
class _Seat(Generic[Item]):
    item: Item
    turn: Lock = field(default_factory=Lock)  # held until it was carried, or carries the next
    is_carried: bool = False
    error: BaseException | None = None


class Gathering(Generic[Item]):
    """`carry` does all that it is given in one transaction, or raises and has done none of it."""

    def __init__(self, carry: Callable[[Sequence[Item]], None]) -> None:
        self._carry = carry
        self._lock = Lock()
        self._is_under_way = False
        self._waiting: list[_Seat[Item]] = []

    @property
    def waiting(self) -> int:
        """How many are to be in the next statement."""
        return len(self._waiting)

    def add(self, item: Item) -> None:
        """Return once it was carried; raises what its carrying failed with.

        What the ledger refused with others in it is carried by itself: only one of them need be
        wrong. A ledger that is gone or stuck is so for all, and each has to ask what was stored.
        """
        seat = _Seat(item)
        seat.turn.acquire()
        if not self._is_first(seat):
            seat.turn.acquire()
        if not seat.is_carried:
            self._carry_with_others(seat)
        if seat.error is None:
            return
        if not _is_refusal(seat.error):
            raise seat.error
        self._carry([item])

    def _is_first(self, seat: _Seat[Item]) -> bool:
        with self._lock:
            if self._is_under_way:
                self._waiting.append(seat)
                return False
            self._is_under_way = True
            return True

    def _carry_with_others(self, seat: _Seat[Item]) -> None:
        with self._lock:
            seats, self._waiting = [seat, *self._waiting], []
        error: BaseException | None = None
        try:
            self._carry([one.item for one in seats])
        except BaseException as exc:  # whatever it is, each of them is told
            error = exc
            if len(seats) == 1 or not isinstance(exc, Exception):
                raise
        finally:
            self._hand_over()
            for one in seats:
                one.is_carried, one.error = True, error
                one.turn.release()

    def _hand_over(self) -> None:
        """The next to carry is who waits longest."""
        with self._lock:
            following = self._waiting.pop(0) if self._waiting else None
            self._is_under_way = following is not None
        if following:
            following.turn.release()


def _is_refusal(error: BaseException) -> bool:
    """Whether nothing was stored, for a reason that may be one item's alone."""
    return isinstance(error, DBAPIError) and not may_pass(error)
