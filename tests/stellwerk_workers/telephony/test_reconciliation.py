"""What becomes of intents of which a provider knows nothing: what was sent is not sent again."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, func, select

from calling import TRUNK, asked, dialled, stored, told
from calling import event as happened
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls import dialing
from stellwerk.jobs.runtime import Runtime
from stellwerk.providers.calls.protocol import Dial, EventKind, Presence
from stellwerk_workers.telephony import reconciliation
from stellwerk_workers.telephony.election import Lease
from stellwerk_workers.telephony.reconciliation import Reconciliation
from stellwerk_workers.telephony.sending import Sender
from stellwerk_workers.telephony.writer import Writer
from trunks import DoubtfulTrunk

QUEUED, UNCERTAIN, DIALING = ("queued", False), ("failed", True), ("dialing", False)


@pytest.fixture(autouse=True)
def _promptly(monkeypatch: pytest.MonkeyPatch) -> None:
    # No event comes late here: the line has told all of them before it is asked.
    monkeypatch.setattr(reconciliation, "ECHO_S", 0.0)


@dataclass(frozen=True, slots=True)
class Leader:
    """What one telephony process is made of, for which nothing is too young."""

    runtime: Runtime
    lease: Lease
    writer: Writer
    sender: Sender
    reconciliation: Reconciliation
    trunk: DoubtfulTrunk

    async def compare(self) -> bool:
        """One comparison, with what follows from it stored."""
        storing = asyncio.create_task(self.writer.run())
        try:
            is_in_doubt = await self.reconciliation.compare()
            await self.writer.caught_up()
        finally:
            storing.cancel()
        return is_in_doubt


def leader(platform: Platform, presence: Presence) -> Leader:
    settings = platform.settings.model_copy(update={"call_settling_s": 0.0})
    runtime = replace(platform.runtime, settings=settings)
    trunk = DoubtfulTrunk(presence)
    lease = Lease(runtime.sessions, TRUNK, settings.call_lease_s)
    writer = Writer(runtime, TRUNK, lambda: None)
    sender = Sender(runtime, trunk, lease, writer, doubted=lambda: None, parted=lambda: None)
    compares = Reconciliation(runtime, trunk, lease, writer, sender)
    return Leader(runtime, lease, writer, sender, compares, trunk)


def became(platform: Platform, call_id: UUID) -> tuple[str, bool]:
    call = stored(platform, call_id)
    return call.state, call.is_uncertain


def test_what_was_sent_is_not_dialled_again(platform: Platform) -> None:
    one = leader(platform, Presence.ABSENT)

    async def send_and_compare() -> UUID:
        assert one.lease.take()
        call = asked(platform, add_user(platform))
        await one.sender.send_due()
        await one.sender.sent(60)
        assert not await one.compare()
        return call.id

    assert became(platform, asyncio.run(send_and_compare())) == UNCERTAIN


def test_what_another_was_to_send_is_not_dialled_again(platform: Platform) -> None:
    call_id = dialled(platform, add_user(platform)).call_id
    one = leader(platform, Presence.ABSENT)

    async def take_over() -> None:
        assert one.lease.take()
        assert not await one.compare()

    asyncio.run(take_over())
    assert became(platform, call_id) == UNCERTAIN


def test_what_goes_on_is_known_to_until_it_was_last_asked_for(platform: Platform) -> None:
    call_id = dialled(platform, add_user(platform)).call_id
    one = leader(platform, Presence.LIVE)
    assert one.lease.take()
    before = one.lease.ledgers_now()

    assert not asyncio.run(one.compare())

    seen_at = stored(platform, call_id).seen_at
    assert seen_at
    assert before <= seen_at <= one.lease.ledgers_now()


def test_names_of_calls_that_ended_lately_are_known_after_a_takeover(platform: Platform) -> None:
    user_id = add_user(platform, subscription_tier="enterprise")
    ended, doubted, old = (dialled(platform, user_id).call_id for _ in range(3))
    dialing.uncertain(platform.runtime, TRUNK, doubted)
    for call_id, ref in ((ended, "CA1"), (doubted, "CA2"), (old, "CA3")):
        rang = happened(call_id, EventKind.RINGING, 1)
        now = datetime.now(UTC) - timedelta(hours=call_id == old)
        over = happened(call_id, EventKind.HUNG_UP, 2, cause="NO_ANSWER")
        told(platform, replace(rang, ref=ref), replace(over, at=now, ref=ref))
    nameless = dialled(platform, user_id).call_id
    one = leader(platform, Presence.LIVE)
    assert one.lease.take()

    asyncio.run(one.compare())

    assert one.trunk.known == {nameless: {"CA1", "CA2"}}


def test_what_this_process_claimed_and_never_sent_is_queued_again(platform: Platform) -> None:
    one = leader(platform, Presence.ABSENT)
    user_id = add_user(platform)

    async def claim_only() -> UUID:
        assert one.lease.take()
        call = asked(platform, user_id)
        dialing.claim(one.runtime, TRUNK, one.lease.fence, 1)
        assert not await one.compare()
        return call.id

    assert became(platform, asyncio.run(claim_only())) == QUEUED


def test_what_is_perhaps_being_claimed_is_left_alone(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = leader(platform, Presence.ABSENT)
    user_id = add_user(platform)
    claim: Callable[..., list[Dial]] = dialing.claim
    claimed, compared = asyncio.Event(), asyncio.Event()

    def slowly(*args: object) -> list[Dial]:
        dials = claim(*args)
        loops[0].call_soon_threadsafe(claimed.set)
        asyncio.run_coroutine_threadsafe(compared.wait(), loops[0]).result(60)
        return dials

    loops: list[asyncio.AbstractEventLoop] = []
    # The real one runs, held until the comparison is under way: no clock makes that moment certain.
    monkeypatch.setattr(dialing, "claim", slowly)

    async def compare_meanwhile() -> UUID:
        loops.append(asyncio.get_running_loop())
        assert one.lease.take()
        call = asked(platform, user_id)
        sending = asyncio.create_task(one.sender.send_due())
        await claimed.wait()
        assert await one.compare()
        assert became(platform, call.id) == DIALING
        compared.set()
        await sending
        await one.sender.sent(60)
        return call.id

    assert became(platform, asyncio.run(compare_meanwhile())) == DIALING


@pytest.fixture
def slow_begin(platform: Platform) -> Iterator[None]:
    """Transactions begin after a while, as over a slow line."""

    def late(_connection: object) -> None:
        time.sleep(0.3)  # what the line takes, not a wait for anything

    event.listen(platform.engine, "begin", late)
    yield
    event.remove(platform.engine, "begin", late)


@pytest.mark.usefixtures("slow_begin")
def test_the_clock_of_a_lease_is_never_ahead_of_the_ledgers(platform: Platform) -> None:
    lease = Lease(platform.runtime.sessions, TRUNK, 5.0)
    assert lease.take()
    with platform.runtime.sessions() as session:
        session.connection()  # so that it has begun
        told = lease.ledgers_now()
        assert told <= session.scalars(select(func.clock_timestamp())).one()
