"""What is heard is stored, whoever is in the way, and whatever else is heard meanwhile."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, event, text

from calling import TRUNK, dialled, timeline_of
from calling import event as heard
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.providers.calls.protocol import EventKind
from stellwerk_workers.telephony.writer import Writer

LOCK = text("SELECT id FROM calls WHERE id = :id FOR UPDATE")


@pytest.fixture
def impatient(platform: Platform) -> Iterator[Platform]:
    """Nobody waits long for a lock."""

    def soon(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")

    event.listen(platform.engine, "begin", soon)
    yield platform
    event.remove(platform.engine, "begin", soon)


def test_what_is_stuck_behind_a_lock_is_stored_later_and_holds_up_nothing(
    impatient: Platform,
) -> None:
    user_id = add_user(impatient)
    stuck, other = (dialled(impatient, user_id).call_id for _ in range(2))
    writer = Writer(impatient.runtime, TRUNK, lambda: None)

    async def store() -> None:
        storing = asyncio.create_task(writer.run())
        done = asyncio.Event()
        with impatient.runtime.sessions.begin() as session:
            session.execute(LOCK, {"id": stuck})
            writer.heard(heard(stuck, EventKind.CREATED))
            loop = asyncio.get_running_loop()
            writer.put(lambda: loop.call_soon_threadsafe(done.set))
            writer.heard(heard(other, EventKind.CREATED))
            await asyncio.wait_for(done.wait(), 60)
        await asyncio.wait_for(writer.caught_up(), 60)
        storing.cancel()

    asyncio.run(store())
    assert [timeline_of(impatient, one) for one in (stuck, other)] == [["created"]] * 2


def test_only_what_was_heard_before_is_waited_for(platform: Platform) -> None:
    writer = Writer(platform.runtime, TRUNK, lambda: None)

    async def keep_busy() -> None:
        loop = asyncio.get_running_loop()

        def again() -> None:
            loop.call_soon_threadsafe(writer.put, again)

        storing = asyncio.create_task(writer.run())
        writer.put(again)
        await asyncio.wait_for(writer.caught_up(), 60)
        storing.cancel()

    asyncio.run(keep_busy())


def test_what_no_longer_fits_is_forgotten_and_told_once_the_rest_is_stored(
    platform: Platform,
) -> None:
    call_id = dialled(platform, add_user(platform)).call_id
    stored_when_told: list[list[str]] = []
    writer = Writer(
        platform.runtime,
        TRUNK,
        lambda: stored_when_told.append(timeline_of(platform, call_id)),
        most=3,
    )

    async def hear_too_much() -> None:
        for after_s, kind in enumerate(
            (EventKind.CREATED, EventKind.RINGING, EventKind.ANSWERED, EventKind.HUNG_UP)
        ):
            writer.heard(heard(call_id, kind, after_s))
        storing = asyncio.create_task(writer.run())
        await asyncio.wait_for(writer.caught_up(), 60)
        storing.cancel()

    asyncio.run(hear_too_much())
    assert stored_when_told == [["created", "ringing", "answered"]]


def test_what_stays_stuck_for_too_long_is_given_up_and_told(impatient: Platform) -> None:
    call_id = dialled(impatient, add_user(impatient)).call_id
    told: list[bool] = []
    writer = Writer(impatient.runtime, TRUNK, lambda: told.append(True), stuck_at_most_s=0.5)

    async def wait_in_vain() -> None:
        storing = asyncio.create_task(writer.run())
        with impatient.runtime.sessions.begin() as session:
            session.execute(LOCK, {"id": call_id})
            writer.heard(heard(call_id, EventKind.CREATED))
            await asyncio.wait_for(writer.caught_up(), 60)
        storing.cancel()

    asyncio.run(wait_in_vain())
    assert told == [True]
    assert timeline_of(impatient, call_id) == []
