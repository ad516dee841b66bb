"""The order to dial `to` once `from` has answered, in the ledger: given at most once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import update

from calling import FENCE, TRUNK, dialled, event, hold_trunk, signals_of, stored, told
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls import bridging, dialing
from stellwerk.calls.bridging import Bridge
from stellwerk.calls.dialing import Taken
from stellwerk.calls.model import Call
from stellwerk.providers.calls.protocol import Dial, EventKind, Leg

E = EventKind


@pytest.fixture
def dial(platform: Platform) -> Dial:
    """A call whose `from` has answered."""
    user_id = add_user(platform, subscription_tier="enterprise")
    found = dialled(platform, user_id, **{"from": "+41446681800"})
    dialing.taken(platform.runtime, [Taken(found.call_id, found.attempt, "v3:one")])
    told(platform, event(found.call_id, E.ANSWERED, 1, leg=Leg.FIRST))
    return found


def claim(platform: Platform) -> list[Bridge]:
    return bridging.claim(platform.runtime, TRUNK, FENCE, 10)


def first_ends(platform: Platform, dial: Dial) -> None:
    end = event(dial.call_id, E.HUNG_UP, 9, leg=Leg.FIRST, cause="NORMAL_CLEARING")
    told(platform, end)


def let_pass(platform: Platform, dial: Dial, seconds: float) -> None:
    earlier = Call.bridge_intended_at - timedelta(seconds=seconds)
    with platform.runtime.sessions.begin() as session:
        session.execute(
            update(Call).where(Call.id == dial.call_id).values(bridge_intended_at=earlier)
        )


def hung_up(platform: Platform) -> list[str | None]:
    return [one.ref for one in dialing.to_hang_up(platform.runtime, TRUNK)]


def became(platform: Platform, dial: Dial) -> tuple[str, str | None, bool]:
    call = stored(platform, dial.call_id)
    return call.state, call.cause, call.is_uncertain


def test_an_answer_makes_it_due_once(platform: Platform, dial: Dial) -> None:
    (bridge,) = claim(platform)
    assert (bridge.dial.to, bridge.ref) == (dial.to, "v3:one")
    assert claim(platform) == []


def test_two_at_once_claim_it_once(platform: Platform, dial: Dial) -> None:
    together = Barrier(4)

    def one_claims(_: int) -> list[Bridge]:
        together.wait()
        return claim(platform)

    with ThreadPoolExecutor(4) as pool:
        claimed = [one.dial.call_id for some in pool.map(one_claims, range(4)) for one in some]
    assert claimed == [dial.call_id]


def test_who_lost_the_trunk_claims_nothing(platform: Platform, dial: Dial) -> None:
    hold_trunk(platform, fence=FENCE + 1)
    assert claim(platform) == []
    assert stored(platform, dial.call_id).bridge_intended_at is None


@pytest.mark.usefixtures("dial")
def test_what_rings_or_was_not_rung_before_is_not_due(platform: Platform) -> None:
    user_id = add_user(platform)
    ringing = dialled(platform, user_id, **{"from": "+41446681800"})
    told(platform, event(ringing.call_id, E.CREATED, leg=Leg.FIRST))
    alone = dialled(platform, user_id)
    told(platform, event(alone.call_id, E.ANSWERED))
    for one in (ringing, alone):
        dialing.taken(platform.runtime, [Taken(one.call_id, one.attempt, "another")])
    assert [one.ref for one in claim(platform)] == ["v3:one"]


def test_who_hung_up_is_connected_with_nobody(platform: Platform, dial: Dial) -> None:
    first_ends(platform, dial)
    assert claim(platform) == []
    assert became(platform, dial) == ("cancelled", "NORMAL_CLEARING", False)


def test_what_was_certainly_not_sent_is_due_again(platform: Platform, dial: Dial) -> None:
    claim(platform)
    dialing.not_bridged(platform.runtime, dial)
    assert [one.dial.call_id for one in claim(platform)] == [dial.call_id]


def test_where_nothing_was_sent_and_who_waited_is_gone_the_call_is_over(
    platform: Platform, dial: Dial
) -> None:
    claim(platform)
    first_ends(platform, dial)
    assert became(platform, dial) == ("dialing", None, False)
    dialing.not_bridged(platform.runtime, dial)
    assert became(platform, dial) == ("cancelled", "NORMAL_CLEARING", False)
    job_id = stored(platform, dial.call_id).job_id
    assert job_id
    assert signals_of(platform, job_id) == ["call.ended"]


def test_a_refusal_hangs_up_who_waits(platform: Platform, dial: Dial) -> None:
    (bridge,) = claim(platform)
    assert hung_up(platform) == []
    told(platform, bridging.refusal(bridge))
    assert hung_up(platform) == ["v3:one"]
    first_ends(platform, dial)
    assert became(platform, dial) == ("failed", "CALL_REJECTED", False)


def test_who_waits_for_a_busy_number_is_hung_up(platform: Platform, dial: Dial) -> None:
    claim(platform)
    told(platform, event(dial.call_id, E.CREATED, 2))
    assert hung_up(platform) == []
    told(platform, event(dial.call_id, E.HUNG_UP, 4, cause="USER_BUSY"))
    assert hung_up(platform) == ["v3:one"]
    first_ends(platform, dial)
    assert became(platform, dial) == ("busy", "USER_BUSY", False)


def test_nobody_waits_for_ever_for_what_was_not_heard_of(platform: Platform, dial: Dial) -> None:
    claim(platform)
    let_pass(platform, dial, bridging.UNHEARD_S + 1)
    assert hung_up(platform) == ["v3:one"]
    assert bridging.unheard(platform.runtime, TRUNK) == []
    first_ends(platform, dial)
    assert bridging.unheard(platform.runtime, TRUNK) == [dial.call_id]
    dialing.uncertain(platform.runtime, TRUNK, dial.call_id)
    assert became(platform, dial)[::2] == ("failed", True)
    assert claim(platform) == []


def test_what_is_heard_after_all_settles_it(platform: Platform, dial: Dial) -> None:
    claim(platform)
    first_ends(platform, dial)
    told(
        platform,
        event(dial.call_id, E.ANSWERED, 3),
        event(dial.call_id, E.HUNG_UP, 8, cause="NORMAL_CLEARING"),
    )
    assert became(platform, dial) == ("completed", "NORMAL_CLEARING", False)
