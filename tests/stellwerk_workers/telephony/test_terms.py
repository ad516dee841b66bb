"""How telephony processes take turns, and what each does in its turn."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import TextClause, select, text
from sqlalchemy.exc import SQLAlchemyError

from calling import TRUNK, asked, stored
from embedded import wait_until
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls import service
from stellwerk.calls.model import CallTrunk
from stellwerk.providers.calls.protocol import Dial, Listener, Presence
from stellwerk_workers.telephony import term
from stellwerk_workers.telephony.election import Lease
from stellwerk_workers.telephony.process import Telephony, platform_of
from trunks import DoubtfulTrunk

FOR_EVER_S = 600.0
SHORTEST_S = 4.0  # of a lease
ASK_SILENTLY = text("UPDATE calls SET hangup_asked_at = now() WHERE id = :id")
# As another process does that found the lease run out.
STEAL = text("""
    UPDATE call_trunks SET holder = 'another', fence = fence + 1,
        held_until = clock_timestamp() + interval '1 hour'
""")
LET_GO = text("UPDATE call_trunks SET holder = NULL, held_until = NULL")
HOLD = text("SELECT fence FROM call_trunks FOR UPDATE")


class BusyTrunk(DoubtfulTrunk):
    """Connected while somebody runs it; takes every order, and knows every call."""

    def __init__(self) -> None:
        super().__init__(Presence.LIVE)
        self.is_running = False
        self.hung_up: list[UUID] = []

    async def run(self, listener: Listener) -> None:
        """Until cancelled."""
        self.is_running = True
        listener.connected()
        try:
            await asyncio.Event().wait()
        finally:
            self.is_running = False

    async def dial(self, dial: Dial) -> str | None:
        """Taken."""
        self.ordered.append(dial.call_id)
        return None

    async def hang_up(self, call_id: UUID, ref: str | None) -> None:  # noqa: ARG002  the protocol's
        """Taken."""
        self.hung_up.append(call_id)


@asynccontextmanager
async def serving(platform: Platform, trunk: BusyTrunk, lease_s: float) -> AsyncIterator[Telephony]:
    """A telephony process, but for the process; it has a lease of its own."""
    settings = platform.settings.model_copy(update={"call_lease_s": lease_s})
    runtime = replace(platform.runtime, settings=settings)
    one = Telephony(replace(platform, settings=settings, runtime=runtime), trunk)
    running = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        one.stop()
        await running


async def until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    await asyncio.to_thread(wait_until, condition, timeout_s=timeout_s)


def holder(platform: Platform) -> str | None:
    with platform.runtime.sessions() as session:
        return session.scalars(select(CallTrunk.holder)).one_or_none()


def execute(platform: Platform, statement: TextClause, **values: object) -> None:
    with platform.runtime.sessions.begin() as session:
        session.execute(statement, values)


def test_one_that_is_stopped_gives_the_lease_to_the_one_that_stands_by(platform: Platform) -> None:
    """Not by time: the lease would last for minutes."""
    first, second = BusyTrunk(), BusyTrunk()

    async def take_turns() -> None:
        async with serving(platform, first, FOR_EVER_S) as leader:
            await until(lambda: first.is_running)
            async with serving(platform, second, FOR_EVER_S):
                leader.stop()
                await until(lambda: second.is_running)
                assert not first.is_running

    asyncio.run(take_turns())
    assert holder(platform) is None


def test_one_whose_lease_was_taken_dials_nothing_until_it_leads_again(platform: Platform) -> None:
    trunk, user_id = BusyTrunk(), add_user(platform)

    async def lose_it_and_lead_again() -> None:
        async with serving(platform, trunk, SHORTEST_S):
            await until(lambda: trunk.is_running)
            execute(platform, STEAL)
            call_id = asked(platform, user_id).id
            await until(lambda: not trunk.is_running)
            assert holder(platform) == "another"
            assert stored(platform, call_id).state == "queued"
            assert trunk.ordered == []
            execute(platform, LET_GO)
            await until(lambda: trunk.ordered == [call_id])

    asyncio.run(lose_it_and_lead_again())


@pytest.mark.parametrize("is_told", [True, False])
def test_a_call_is_hung_up_at_a_notice_and_soon_where_none_comes(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, *, is_told: bool
) -> None:
    """With a notice nobody has to look; without one they look twice a second."""
    assert term.LOOK_EVERY_S <= 0.5
    if is_told:
        # So that the notice alone can have brought it.
        monkeypatch.setattr(term, "LOOK_EVERY_S", FOR_EVER_S)
    trunk, user_id = BusyTrunk(), add_user(platform)

    async def hang_up() -> None:
        async with serving(platform, trunk, FOR_EVER_S):
            await until(lambda: trunk.is_running)
            call_id = asked(platform, user_id).id
            await until(lambda: stored(platform, call_id).taken_at)
            if is_told:
                service.hang_up(platform.runtime, user_id, call_id)
            else:
                execute(platform, ASK_SILENTLY, id=call_id)
            await until(lambda: trunk.hung_up == [call_id])

    asyncio.run(hang_up())


def test_one_that_froze_with_the_trunk_in_its_hands_is_waited_for_as_long_as_its_lease(
    platform: Platform,
) -> None:
    """Postgres ends its transaction, else it would hold the row for a quarter of a minute."""
    settings = platform.settings.model_copy(update={"call_lease_s": 1.0})
    lease = Lease(platform.runtime.sessions, TRUNK, 1.0)

    def takes_it() -> bool:
        with suppress(SQLAlchemyError):  # it stood in line for the row for too long
            return lease.take()
        return False

    assert takes_it()
    with closing(platform_of(settings)) as frozen, frozen.runtime.sessions() as session:
        session.execute(HOLD)
        wait_until(takes_it, timeout_s=14)
        session.invalidate()
