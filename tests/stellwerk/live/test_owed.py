"""What Redis is owed is repaid in slices, however much it is."""

from collections.abc import Callable, Sequence
from threading import Event
from threading import enumerate as enumerate_threads
from uuid import UUID

import pytest

from embedded import wait_until
from stellwerk.clock import new_id
from stellwerk.live.owed import SLICE, SLICE_BYTES, Call, Owed


class Server:
    """Takes what fits in one trip; refuses every other trip, and some jobs always."""

    def __init__(self, refuses: Callable[[Call], bool]) -> None:
        self.taken: list[UUID] = []
        self._refuses = refuses
        self._trips = 0

    def send(self, calls: Sequence[Call]) -> bool:
        self._trips += 1
        size = sum(len(argument) for _, (argument,) in calls if isinstance(argument, bytes))
        fits = len(calls) <= SLICE and (size <= SLICE_BYTES or len(calls) == 1)
        if self._trips % 2 == 0 or not fits or any(map(self._refuses, calls)):
            return False
        self.taken += [job_id for job_id, _ in calls]
        return True


@pytest.mark.parametrize(("count", "size_bytes"), [(10_000, 10), (40, 100_000), (3, 1_000_000)])
def test_much_is_repaid_slice_by_slice_and_nothing_twice(count: int, size_bytes: int) -> None:
    server = Server(lambda _: False)
    owed = Owed(server.send, every_s=0.001, closed=Event())  # whose thread ends when all is sent
    calls = calls_of(count, size_bytes)
    owed.add(calls)

    wait_until(lambda: len(server.taken) >= count)

    assert sorted(server.taken) == sorted(job_id for job_id, _ in calls)


def test_what_is_never_taken_keeps_the_others_from_nothing() -> None:
    calls = calls_of(3 * SLICE, 10)
    server = Server(lambda call: call[0] == calls[0][0])
    closed = Event()
    Owed(server.send, every_s=0.001, closed=closed).add(calls)

    wait_until(lambda: len(server.taken) >= 2 * SLICE)
    closed.set()  # or it would be asked for ever

    assert calls[0][0] not in server.taken


def test_nobody_goes_on_asking_once_it_is_closed() -> None:
    closed, asked = Event(), Event()

    def send(_: Sequence[Call]) -> bool:
        asked.set()
        return False

    before = threads()
    Owed(send, every_s=0.001, closed=closed).add(calls_of(1, 10))
    assert asked.wait(60)
    assert threads() - before
    closed.set()
    wait_until(lambda: not threads() - before)


def threads() -> set[int | None]:
    return {thread.ident for thread in enumerate_threads() if thread.name == "live-owed"}


def calls_of(count: int, size_bytes: int) -> list[Call]:
    return [(new_id(), [bytes(size_bytes)]) for _ in range(count)]
