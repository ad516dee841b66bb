"""Calls of which a switch knows nothing any more, and whose end nobody heard."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from calling import BEGAN, dialled, event, stored, told
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls import dialing, service
from stellwerk.calls.dialing import HangUp
from stellwerk.calls.model import Call
from stellwerk.providers.calls.protocol import CallEvent, Dial, EventKind, Leg

E = EventKind
TRUNK = "freeswitch"


def lost(platform: Platform, dial: Dial, *events: CallEvent) -> tuple[str, str | None, bool]:
    """State, cause and whether it is uncertain of a call that is gone after these events."""
    told(platform, *events)
    dialing.uncertain(platform.runtime, TRUNK, dial.call_id)
    call = stored(platform, dial.call_id)
    return call.state, call.cause, call.is_uncertain


@pytest.mark.parametrize("stages", [[], [E.CREATED], [E.CREATED, E.RINGING]])
def test_whether_somebody_was_reached_is_uncertain_where_no_answer_was_heard(
    platform: Platform, stages: list[EventKind]
) -> None:
    dial = dialled(platform, add_user(platform))
    events = [event(dial.call_id, stage, n) for n, stage in enumerate(stages)]
    assert lost(platform, dial, *events) == ("failed", "LOST" if stages else "UNKNOWN", True)


@pytest.mark.parametrize(
    ("seen_s", "lasted_s", "paid_s"), [(None, 0, 1), (0, 0, 1), (32, 30, 30), (7200, 60, 60)]
)
def test_what_was_answered_ended_when_it_was_last_seen_and_within_its_longest_time(
    platform: Platform, seen_s: int | None, lasted_s: int, paid_s: int
) -> None:
    dial = dialled(platform, add_user(platform), max_duration_s=60)
    told(platform, event(dial.call_id, E.ANSWERED, 2))
    if seen_s is not None:
        dialing.seen(platform.runtime, [dial.call_id], BEGAN + timedelta(seconds=seen_s))
        dialing.seen(platform.runtime, [dial.call_id], BEGAN)  # said late
    assert lost(platform, dial) == ("completed", "LOST", False)
    call = stored(platform, dial.call_id)
    assert (call.duration_s, call.billable_s) == (lasted_s, paid_s)


def test_what_is_heard_of_it_after_all_is_paid_for(platform: Platform) -> None:
    dial = dialled(platform, add_user(platform))
    lost(platform, dial, event(dial.call_id, E.ANSWERED, 2))
    told(platform, event(dial.call_id, E.HUNG_UP, 92, cause="NORMAL_CLEARING"))
    call = stored(platform, dial.call_id)
    assert (call.cause, call.duration_s, call.billable_s) == ("NORMAL_CLEARING", 90, 90)


def test_a_busy_number_stays_busy_though_the_end_of_the_first_leg_is_unheard(
    platform: Platform,
) -> None:
    dial = dialled(platform, add_user(platform), **{"from": "+493012341000"})
    call_id = dial.call_id
    events = [
        event(call_id, E.ANSWERED, 1, leg=Leg.FIRST),
        event(call_id, E.CREATED, 2),
        event(call_id, E.HUNG_UP, 3, cause="USER_BUSY"),
    ]
    assert lost(platform, dial, *events) == ("busy", "USER_BUSY", False)


def test_a_first_leg_of_which_nothing_was_heard_keeps_no_call_from_its_end(
    platform: Platform,
) -> None:
    dial = dialled(platform, add_user(platform), **{"from": "+493012341000"})
    assert lost(platform, dial, event(dial.call_id, E.ANSWERED, 2)) == ("completed", "LOST", False)


@pytest.mark.parametrize("stage", [E.RINGING, E.ANSWERED])
def test_what_may_still_be_up_is_hung_up_once_within_a_day(
    platform: Platform, stage: EventKind
) -> None:
    user_id = add_user(platform, subscription_tier="enterprise")
    wanted, other, old = (dialled(platform, user_id) for _ in range(3))
    for dial in (wanted, old):
        service.hang_up(platform.runtime, user_id, dial.call_id)
    for dial in (wanted, other, old):
        lost(platform, dial, event(dial.call_id, stage, 1))
    with platform.runtime.sessions.begin() as session:
        asked_at = Call.hangup_asked_at - timedelta(hours=25)
        session.execute(update(Call).where(Call.id == old.call_id).values(hangup_asked_at=asked_at))

    assert dialing.to_hang_up(platform.runtime, TRUNK) == [
        HangUp(wanted.call_id, None, has_ended=True)
    ]

    dialing.hang_up_sent(platform.runtime, [wanted.call_id])
    assert dialing.to_hang_up(platform.runtime, TRUNK) == []


def test_an_end_that_is_heard_after_all_is_believed(platform: Platform) -> None:
    dial = dialled(platform, add_user(platform))
    lost(platform, dial, event(dial.call_id, E.RINGING, 1))
    told(platform, event(dial.call_id, E.HUNG_UP, 9, cause="NO_ANSWER"))
    call = stored(platform, dial.call_id)
    assert (call.state, call.cause, call.is_uncertain) == ("no_answer", "NO_ANSWER", False)


def test_a_name_that_was_found_later_is_kept_and_never_replaced(platform: Platform) -> None:
    dial = dialled(platform, add_user(platform))
    told(platform, replace(event(dial.call_id, E.CREATED), ref="CA1"))
    told(platform, replace(event(dial.call_id, E.RINGING, 1), ref="CA2"))
    assert stored(platform, dial.call_id).provider_ref == "CA1"
