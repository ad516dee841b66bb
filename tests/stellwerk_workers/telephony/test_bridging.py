"""Click to call over Telnyx: a third party's server takes orders, signed webhooks tell the rest."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from calling import stored, timeline_of
from emulated_telnyx import running_telnyx
from raw_answers import closed_port
from stellwerk.bootstrap import Platform
from stellwerk.calls import dialing
from stellwerk.calls.model import CallTrunk
from stellwerk.providers.calls.carriers import Manner
from stellwerk.providers.calls.protocol import Dial
from stellwerk.providers.calls.telnyx.causes import End
from stellwerk.providers.calls.telnyx.client import Access, client_of
from stellwerk.providers.calls.telnyx.orders import NAME
from stellwerk.providers.calls.telnyx.trunk import TelnyxTrunk
from stellwerk_workers.telephony import bridging
from stellwerk_workers.telephony.bridging import Bridger
from stellwerk_workers.telephony.election import Lease
from stellwerk_workers.telephony.writer import Writer
from told_by_telnyx import Here, event, reached_by_telnyx

pytestmark = pytest.mark.xdist_group("bridging")  # so that one server is started
FIRST, OWN = "+41446681800", "+15551234567"
CONNECTION = "1293384261075731499"


@dataclass(frozen=True, slots=True)
class Telnyx:
    """The third party's server, and what it was asked."""

    url: str
    log: Path

    def transfers(self) -> int:
        """Orders to dial `to` that it got."""
        return self.log.read_text().count("post /calls/v3:one/actions/transfer")


@pytest.fixture(scope="module")
def telnyx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telnyx]:
    folder = tmp_path_factory.mktemp("telnyx")
    with running_telnyx(folder) as url:
        yield Telnyx(url, folder / "server.log")


@pytest.fixture
def here(platform: Platform) -> Here:
    return reached_by_telnyx(platform)


@dataclass(frozen=True, slots=True)
class Leader:
    """Who holds the trunk, and connects."""

    platform: Platform
    trunk: TelnyxTrunk
    lease: Lease

    async def look(self, times: int = 1) -> None:
        """So many looks, with what follows from them stored."""
        runtime = self.platform.runtime
        writer = Writer(runtime, NAME, lambda: None)
        bridger = Bridger(runtime, self.trunk, self.lease, writer, doubted=lambda: None)
        storing = asyncio.create_task(writer.run())
        try:
            for _ in range(times):
                await bridger.bridge_due()
                await bridger.sent(30)
                await writer.caught_up()
        finally:
            storing.cancel()


def leader(platform: Platform, url: str) -> Leader:
    access = Access(SecretStr("KEY"), CONNECTION, url, timeout_s=20)
    trunk = TelnyxTrunk(client_of(access), CONNECTION, Manner(1, OWN, "https://calls.example"))
    lease = Lease(platform.runtime.sessions, NAME, lease_s=60)
    assert lease.take()
    return Leader(platform, trunk, lease)


def let_the_lease_run_out(platform: Platform) -> None:
    with platform.runtime.sessions.begin() as session:
        session.execute(update(CallTrunk).values(held_until=None))


def answered(here: Here) -> Dial:
    """A call whose `from` has answered, as a signed webhook told."""
    dial = here.dialling(first=FIRST)
    assert here.tell(event(dial, "call.answered", End.FIRST)).status_code == 204
    return dial


def test_who_answered_is_connected_once_and_hung_up_where_nobody_else_answers(
    here: Here, telnyx: Telnyx
) -> None:
    dial, before = answered(here), telnyx.transfers()
    one = leader(here.platform, telnyx.url)
    asyncio.run(one.look(times=2))
    assert here.tell(event(dial, "call.initiated", End.SECOND)).status_code == 204
    asyncio.run(one.look())
    assert telnyx.transfers() - before == 1
    assert timeline_of(here.platform, dial.call_id) == ["answered", "created"]

    busy = event(dial, "call.hangup", End.SECOND, hangup_cause="user_busy")
    assert here.tell(busy).status_code == 204
    (wanted,) = dialing.to_hang_up(here.platform.runtime, NAME)
    assert wanted.ref == "v3:one"
    over = event(dial, "call.hangup", End.FIRST, hangup_cause="normal_clearing")
    assert here.tell(over).status_code == 204
    asyncio.run(one.look())
    assert telnyx.transfers() - before == 1
    assert stored(here.platform, dial.call_id).state == "busy"


def test_two_that_talk_are_answered_and_completed(here: Here, telnyx: Telnyx) -> None:
    dial = answered(here)
    asyncio.run(leader(here.platform, telnyx.url).look())
    for name in ("call.initiated", "call.answered", "call.bridged"):
        assert here.tell(event(dial, name, End.SECOND)).status_code == 204
    assert stored(here.platform, dial.call_id).state == "answered"
    for end in (End.SECOND, End.FIRST):
        told = event(dial, "call.hangup", end, hangup_cause="normal_clearing")
        assert here.tell(told).status_code == 204
    assert stored(here.platform, dial.call_id).state == "completed"


def test_what_was_certainly_not_sent_is_sent_later(
    here: Here, telnyx: Telnyx, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second try is due at once: how long is waited for it is not what is tried.
    monkeypatch.setattr(bridging, "AGAIN_S", 0.0)
    dial = answered(here)
    asyncio.run(leader(here.platform, closed_port()).look())
    assert stored(here.platform, dial.call_id).bridge_intended_at is None
    let_the_lease_run_out(here.platform)
    asyncio.run(leader(here.platform, telnyx.url).look())
    assert timeline_of(here.platform, dial.call_id) == ["answered", "created"]
