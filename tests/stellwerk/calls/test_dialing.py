"""What the telephony process does to the ledger, on a real Postgres."""

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from calling import (
    FENCE,
    TRUNK,
    asked,
    call_of,
    claim,
    costs_of,
    dialled,
    event,
    hold_trunk,
    let_pass,
    originate,
    signals_of,
    stored,
    timeline_of,
    told,
)
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls import dialing, service
from stellwerk.calls.dialing import Taken
from stellwerk.calls.model import CallTrunk
from stellwerk.errors import Conflict, NotFound
from stellwerk.jobs.model import Job
from stellwerk.providers.calls.protocol import CallEvent, Dial, EventKind, Leg

E = EventKind


@pytest.fixture
def user_id(platform: Platform) -> int:
    hold_trunk(platform)
    return add_user(platform, subscription_tier="enterprise")


@pytest.fixture
def dial(platform: Platform, user_id: int) -> Dial:
    return dialled(platform, user_id)


def ended(dial: Dial, after_s: float = 73, cause: str = "NORMAL_CLEARING") -> CallEvent:
    return event(dial.call_id, E.HUNG_UP, after_s, cause=cause)


def let_be_simulated(platform: Platform, *, is_simulated: bool) -> None:
    with platform.runtime.sessions.begin() as session:
        session.execute(update(CallTrunk).values(is_simulated=is_simulated))


def call_job(platform: Platform, call_id: UUID) -> UUID:
    job_id = stored(platform, call_id).job_id
    assert job_id
    return job_id


class TestClaiming:
    def test_what_was_asked_for_is_claimed_once(self, platform: Platform, user_id: int) -> None:
        call = asked(platform, user_id, **{"caller_id": "+49301234567", "from": "+41446681800"})

        (dial,) = claim(platform)

        assert (dial.call_id, dial.to, dial.first) == (call.id, "+493012341005", "+41446681800")
        assert (dial.caller_id, dial.attempt, dial.recording) == ("+49301234567", 1, None)
        assert claim(platform) == []
        assert stored(platform, call.id).intended_at is not None

    def test_a_simulators_call_stays_named_so_and_costs_nothing(
        self, platform: Platform, user_id: int
    ) -> None:
        let_be_simulated(platform, is_simulated=True)
        by_simulator = dialled(platform, user_id)
        let_be_simulated(platform, is_simulated=False)
        by_switch = dialled(platform, user_id)

        for one in (by_simulator, by_switch):
            told(platform, event(one.call_id, E.ANSWERED, 3), ended(one))

        assert stored(platform, by_simulator.call_id).cost_eur == 0
        assert costs_of(platform, call_job(platform, by_simulator.call_id)) == []
        assert stored(platform, by_switch.call_id).cost_eur
        assert stored(platform, by_simulator.call_id).is_simulated
        assert not stored(platform, by_switch.call_id).is_simulated
        with platform.runtime.sessions() as session:
            named = {
                one.call_id: session.get_one(Job, call_job(platform, one.call_id)).is_simulated
                for one in (by_simulator, by_switch)
            }
        assert named == {by_simulator.call_id: True, by_switch.call_id: False}

    def test_oldest_first_and_no_more_than_wanted(self, platform: Platform, user_id: int) -> None:
        calls = [asked(platform, user_id).id for _ in range(3)]
        assert [dial.call_id for dial in claim(platform, 2)] == calls[:2]
        assert [dial.call_id for dial in claim(platform, 2)] == calls[2:]

    def test_what_nobody_asked_for_yet_is_not(self, platform: Platform, user_id: int) -> None:
        originate(platform, user_id)
        assert claim(platform) == []

    def test_what_was_asked_for_long_ago_is_not(self, platform: Platform, user_id: int) -> None:
        let_pass(platform, asked(platform, user_id).id, 301)
        assert claim(platform) == []

    def test_who_lost_the_trunk_claims_nothing(self, platform: Platform, user_id: int) -> None:
        asked(platform, user_id)
        hold_trunk(platform, fence=FENCE + 1)
        assert claim(platform) == []

    def test_two_at_once_claim_each_call_once(self, platform: Platform, user_id: int) -> None:
        calls = {asked(platform, user_id).id for _ in range(6)}
        together = Barrier(4)

        def claim_some(_: int) -> list[Dial]:
            together.wait()
            return claim(platform, 4)

        with ThreadPoolExecutor(4) as pool:
            claimed = [dial.call_id for some in pool.map(claim_some, range(4)) for dial in some]
        claimed += [dial.call_id for dial in claim(platform)]
        assert sorted(claimed) == sorted(calls)


class TestEvents:
    def test_a_call_goes_through_its_states(self, platform: Platform, dial: Dial) -> None:
        call_id = dial.call_id
        states = []
        for one in (
            event(call_id, E.CREATED),
            event(call_id, E.RINGING, 1),
            event(call_id, E.ANSWERED, 3),
            ended(dial),
        ):
            told(platform, one)
            states.append(stored(platform, call_id).state)
        assert states == ["dialing", "ringing", "answered", "completed"]
        call = stored(platform, call_id)
        assert (call.cause, call.duration_s, call.billable_s) == ("NORMAL_CLEARING", 70, 70)
        assert timeline_of(platform, call_id) == ["created", "ringing", "answered", "hung_up"]

    def test_those_told_twice_are_stored_once(self, platform: Platform, dial: Dial) -> None:
        events = [event(dial.call_id, E.ANSWERED, 3), ended(dial)]
        job_id = stored(platform, dial.call_id).job_id
        assert job_id
        for _ in range(3):
            told(platform, *events, *events)
        assert timeline_of(platform, dial.call_id) == ["answered", "hung_up"]
        assert signals_of(platform, job_id) == ["call.ended"]
        assert len(costs_of(platform, job_id)) == 1

    def test_an_answer_heard_after_the_end_is_believed(
        self, platform: Platform, dial: Dial
    ) -> None:
        told(platform, event(dial.call_id, E.CREATED), ended(dial))
        assert stored(platform, dial.call_id).state == "cancelled"
        told(platform, event(dial.call_id, E.ANSWERED, 3), event(dial.call_id, E.RINGING, 1))
        call = stored(platform, dial.call_id)
        assert (call.state, call.billable_s) == ("completed", 70)
        assert call.cost_eur

    def test_nothing_leads_back_from_the_end(self, platform: Platform, dial: Dial) -> None:
        told(platform, ended(dial, cause="USER_BUSY"))
        told(platform, event(dial.call_id, E.CREATED), event(dial.call_id, E.RINGING, 1))
        assert stored(platform, dial.call_id).state == "busy"

    def test_both_legs_of_a_click_to_call_are_paid(self, platform: Platform, user_id: int) -> None:
        dial = dialled(platform, user_id, **{"from": "+41446681800"})
        job_id = stored(platform, dial.call_id).job_id
        assert job_id
        told(
            platform,
            event(dial.call_id, E.ANSWERED, 0, leg=Leg.FIRST),
            event(dial.call_id, E.ANSWERED, 10),
            event(dial.call_id, E.HUNG_UP, 80, cause="NORMAL_CLEARING"),
        )
        assert stored(platform, dial.call_id).state == "answered"
        told(platform, event(dial.call_id, E.HUNG_UP, 81, leg=Leg.FIRST, cause="NORMAL_CLEARING"))
        lines = [(number, int(seconds)) for number, seconds, _ in costs_of(platform, job_id)]
        assert lines == [(1, 70), (2, 81)]

    def test_those_of_others_are_no_matter(self, platform: Platform, dial: Dial) -> None:
        told(platform, event(uuid4(), E.CREATED))
        dialing.record(platform.runtime, "twilio", [ended(dial)])
        assert stored(platform, dial.call_id).state == "dialing"

    @pytest.mark.parametrize("seed", range(6))
    def test_in_whatever_order_and_batches_they_come_the_call_is_the_same(
        self, platform: Platform, user_id: int, seed: int
    ) -> None:
        dial = dialled(platform, user_id, **{"from": "+41446681800"})
        job_id = stored(platform, dial.call_id).job_id
        assert job_id
        events = [
            event(dial.call_id, E.CREATED, 0, leg=Leg.FIRST),
            event(dial.call_id, E.ANSWERED, 1, leg=Leg.FIRST),
            event(dial.call_id, E.CREATED, 2),
            event(dial.call_id, E.RINGING, 3),
            event(dial.call_id, E.ANSWERED, 5),
            event(dial.call_id, E.HUNG_UP, 65, cause="NORMAL_CLEARING"),
            event(dial.call_id, E.HUNG_UP, 66, leg=Leg.FIRST, cause="NORMAL_CLEARING"),
        ]
        chance = random.Random(seed)  # noqa: S311  not a secret
        left = events * 2
        chance.shuffle(left)
        while left:
            size = chance.randint(1, 4)
            told(platform, *left[:size])
            left = left[size:]
        call = stored(platform, dial.call_id)
        assert (call.state, call.duration_s, call.billable_s) == ("completed", 60, 60)
        assert (call.ringing_at, call.answered_at) == (events[3].at, events[4].at)
        assert signals_of(platform, job_id) == ["call.ended"]
        lines = [(number, int(seconds)) for number, seconds, _ in costs_of(platform, job_id)]
        assert lines == [(1, 60), (2, 65)]


class TestNotDialled:
    def test_it_is_queued_again_for_later(self, platform: Platform, dial: Dial) -> None:
        dialing.put_off(platform.runtime, dial, cause=None, after_s=60)
        assert stored(platform, dial.call_id).state == "queued"
        assert claim(platform) == []
        let_pass(platform, dial.call_id, 61)
        assert [one.attempt for one in claim(platform)] == [2]

    def test_it_is_given_up_after_some_tries(self, platform: Platform, dial: Dial) -> None:
        tries = platform.settings.call_dial_tries
        for attempt in range(1, tries + 1):
            assert dial.attempt == attempt
            dialing.put_off(platform.runtime, dial, cause="GATEWAY_DOWN", after_s=1)
            let_pass(platform, dial.call_id, 2)
            dial = next(iter(claim(platform)), dial)
        call = stored(platform, dial.call_id)
        assert (call.state, call.dials, call.refusal) == ("failed", tries, "PROVIDER_UNAVAILABLE")

    @pytest.mark.parametrize(
        ("cause", "state"), [("DESTINATION_OUT_OF_ORDER", "queued"), ("INVALID_GATEWAY", "failed")]
    )
    def test_a_refusal_of_the_switch_is_repeated_where_that_may_help(
        self, platform: Platform, dial: Dial, cause: str, state: str
    ) -> None:
        told(platform, event(dial.call_id, E.REFUSED, 1, cause=cause))
        assert stored(platform, dial.call_id).state == state

    def test_an_old_refusal_told_again_is_not_the_new_ones(
        self, platform: Platform, dial: Dial
    ) -> None:
        refusal = event(dial.call_id, E.REFUSED, 1, cause="DESTINATION_OUT_OF_ORDER")
        told(platform, refusal)
        let_pass(platform, dial.call_id, 5)
        (again,) = claim(platform)
        told(platform, refusal)
        dialing.put_off(platform.runtime, dial, cause=None, after_s=1)  # who was frozen meanwhile
        assert stored(platform, dial.call_id).state == "dialing"
        told(platform, event(dial.call_id, E.CREATED, 9), ended(again))
        assert stored(platform, dial.call_id).state == "cancelled"

    def test_what_has_a_channel_after_all_is_not_dialled_again(
        self, platform: Platform, dial: Dial
    ) -> None:
        told(platform, event(dial.call_id, E.REFUSED, 1, cause="DESTINATION_OUT_OF_ORDER"))
        told(platform, event(dial.call_id, E.CREATED, 2))
        let_pass(platform, dial.call_id, 60)
        assert claim(platform) == []
        assert stored(platform, dial.call_id).state == "dialing"


class TestDoubt:
    def test_without_any_trace_nobody_can_tell(self, platform: Platform, dial: Dial) -> None:
        dialing.uncertain(platform.runtime, TRUNK, dial.call_id)
        call = stored(platform, dial.call_id)
        assert (call.state, call.is_uncertain, call.cause) == ("failed", True, "UNKNOWN")
        assert claim(platform) == []
        assert dialing.under_way(platform.runtime, TRUNK) == []

    def test_what_is_heard_after_all_is_believed(self, platform: Platform, dial: Dial) -> None:
        dialing.uncertain(platform.runtime, TRUNK, dial.call_id)
        told(platform, event(dial.call_id, E.ANSWERED, 3))
        assert stored(platform, dial.call_id).state == "answered"
        told(platform, ended(dial))
        call = stored(platform, dial.call_id)
        assert (call.state, call.is_uncertain) == ("completed", False)

    def test_of_one_that_rang_and_is_gone_nobody_can_tell_either(
        self, platform: Platform, dial: Dial
    ) -> None:
        told(platform, event(dial.call_id, E.CREATED), event(dial.call_id, E.RINGING, 1))
        dialing.uncertain(platform.runtime, TRUNK, dial.call_id)
        call = stored(platform, dial.call_id)
        assert (call.state, call.is_uncertain, call.cause) == ("failed", True, "LOST")

    def test_one_that_was_answered_and_is_gone_has_ended(
        self, platform: Platform, dial: Dial
    ) -> None:
        told(platform, event(dial.call_id, E.CREATED), event(dial.call_id, E.ANSWERED, 1))
        dialing.uncertain(platform.runtime, TRUNK, dial.call_id)
        call = stored(platform, dial.call_id)
        assert (call.state, call.is_uncertain, call.cause) == ("completed", False, "LOST")
        assert (call.duration_s or 0) <= call.max_duration_s

    def test_what_is_under_way_is_listed_with_its_name(
        self, platform: Platform, dial: Dial
    ) -> None:
        dialing.taken(platform.runtime, [Taken(dial.call_id, dial.attempt, "CA123")])
        (found,) = dialing.under_way(platform.runtime, TRUNK)
        assert (found.dial, found.ref, found.is_taken) == (dial, "CA123", True)


class TestHangingUp:
    def test_at_once_where_it_was_not_dialled(self, platform: Platform, user_id: int) -> None:
        call = asked(platform, user_id)
        assert service.hang_up(platform.runtime, user_id, call.id) == "cancelled"
        assert claim(platform) == []
        assert call.job_id
        assert signals_of(platform, call.job_id) == ["call.ended"]

    def test_by_the_trunk_where_it_was(self, platform: Platform, user_id: int, dial: Dial) -> None:
        for _ in range(2):
            assert service.hang_up(platform.runtime, user_id, dial.call_id) == "dialing"
        assert [one.call_id for one in dialing.to_hang_up(platform.runtime, TRUNK)] == [
            dial.call_id
        ]

    def test_not_twice(self, platform: Platform, user_id: int, dial: Dial) -> None:
        told(platform, ended(dial))
        with pytest.raises(Conflict, match="cancelled"):
            service.hang_up(platform.runtime, user_id, dial.call_id)

    def test_nobody_elses(self, platform: Platform, dial: Dial) -> None:
        with pytest.raises(NotFound):
            service.hang_up(platform.runtime, add_user(platform), dial.call_id)


def test_events_and_cancels_at_once_never_wait_for_each_other_for_good(
    platform: Platform, user_id: int
) -> None:
    dials: list[Any] = [dialled(platform, user_id) for _ in range(4)]
    together = Barrier(3)

    def tell(backwards: int) -> None:
        together.wait()
        for one in reversed(dials) if backwards else dials:
            told(platform, *(ended(other) for other in dials), ended(one))

    def stop(_: int) -> None:
        together.wait()
        for one in dials:
            try:
                service.hang_up(platform.runtime, user_id, one.call_id)
            except Conflict:
                continue

    with ThreadPoolExecutor(3) as pool:
        told_all = [pool.submit(tell, 0), pool.submit(tell, 1), pool.submit(stop, 0)]
        for done in told_all:
            done.result(timeout=60)
    job_ids = [stored(platform, one.call_id).job_id for one in dials]
    assert all(call_of(platform, job_id).state == "cancelled" for job_id in job_ids if job_id)
