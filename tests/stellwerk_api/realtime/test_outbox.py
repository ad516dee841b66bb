"""What is not yet sent to a client, with a socket that takes as much as a test lets it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.types import Message

from stellwerk_api.realtime.eager import begun
from stellwerk_api.realtime.outbox import LETTERS_MAX, MESSAGES_MAX, Outbox


class Socket:
    """Takes messages while it is open."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.room = asyncio.Event()
        self.room.set()
        self.overflows = 0
        self.outbox = Outbox(self.send, self.overflow)

    async def send(self, message: Message) -> None:
        await self.room.wait()
        self.taken.append(message.get("text", message.get("code")))

    def overflow(self) -> None:
        self.overflows += 1


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_a_socket_with_room_has_the_message_at_once() -> None:
    async def scenario() -> None:
        socket = Socket()
        socket.outbox.put("one")
        assert socket.taken == ["one"]
        assert socket.outbox.stuck_since == 0

    run(scenario)


def test_what_a_socket_cannot_take_follows_in_its_order() -> None:
    async def scenario() -> None:
        socket = Socket()
        socket.room.clear()
        wanted = [str(number) for number in range(20)]
        for text in wanted:
            socket.outbox.put(text)
        assert socket.taken == []
        assert socket.outbox.stuck_since > 0
        socket.room.set()
        await socket.outbox.emptied()
        socket.outbox.put("last")
        assert socket.taken == [*wanted, "last"]
        assert socket.outbox.stuck_since == 0

    run(scenario)


def test_too_many_messages_or_letters_overflow() -> None:
    async def scenario() -> None:
        many, long = Socket(), Socket()
        for socket, number, text in (
            (many, MESSAGES_MAX + 1, "x"),
            (long, 2, "x" * (LETTERS_MAX + 1)),
        ):
            socket.room.clear()
            for _ in range(number):
                socket.outbox.put(text)
            assert socket.overflows == 0
            socket.outbox.put("one more")
            assert socket.overflows == 1
            socket.outbox.drop()

    run(scenario)


def test_closing_sends_what_waits_and_closing_at_once_forgets_it() -> None:
    async def scenario() -> None:
        patient, hasty = Socket(), Socket()
        for socket in (patient, hasty):
            socket.room.clear()
            socket.outbox.put("one")
            socket.outbox.put("two")
        closing = [
            asyncio.create_task(socket.outbox.close(4400, "", at_once=socket is hasty))
            for socket in (patient, hasty)
        ]
        await asyncio.sleep(0)
        for socket in (patient, hasty):
            socket.room.set()
            socket.outbox.put("late")
        await asyncio.gather(*closing)
        assert patient.taken[:2] == ["one", "two"]
        assert patient.taken[-1] == 4400
        assert hasty.taken == [4400]
        hasty.outbox.put("later")
        assert hasty.taken == [4400]

    run(scenario)


def test_work_that_need_not_wait_leaves_nothing_for_a_task() -> None:
    async def work() -> None:
        """Nothing."""

    async def scenario() -> None:
        assert begun(work()) is None

    run(scenario)


def test_the_rest_of_begun_work_waits_returns_and_can_be_cancelled() -> None:
    heard: list[str] = []

    async def work(first: asyncio.Event, second: asyncio.Event) -> None:
        try:
            await first.wait()
            heard.append("first")
            await second.wait()
            heard.append("second")
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    async def scenario() -> None:
        first, second = asyncio.Event(), asyncio.Event()
        whole, cut = begun(work(first, second)), begun(work(asyncio.Event(), second))
        assert whole
        assert cut
        tasks = [asyncio.create_task(whole), asyncio.create_task(cut)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        first.set()
        second.set()
        await asyncio.wait(tasks)
        assert sorted(heard) == ["cancelled", "first", "second"]
        assert tasks[1].cancelled()

    run(scenario)
