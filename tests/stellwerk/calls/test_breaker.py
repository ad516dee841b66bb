"""A trunk that carries no calls is spared, and gets them again by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from calling import asked, claim, dialled, told
from people import add_user
from stellwerk.bootstrap import Platform
from stellwerk.calls import breaker
from stellwerk.calls.breaker import Breaker, BreakerState, Rules
from stellwerk.calls.model import Call, CallTrunk
from stellwerk.choices import Mode
from stellwerk.clock import new_id
from stellwerk.configuration.model import ConfigurationChange
from stellwerk.errors import ErrorCode, Unavailable
from stellwerk.providers.calls.protocol import CallEvent, EventKind, Leg, TrunkHealth

TRUNK = "freeswitch"
RULES = Rules(3, timedelta(seconds=60), timedelta(seconds=30))
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WELL, ILL = (
    TrunkHealth(is_connected=True, gateways={"trunk": True}),
    TrunkHealth(is_connected=False),
)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def opened() -> Breaker:
    made = Breaker()
    for second in range(3):
        made = made.failed(RULES, later(second))
    return made


def half_open() -> Breaker:
    return opened().checked(RULES, later(32), is_good=True)


def test_it_opens_after_so_many_failures_in_the_window() -> None:
    made = opened()
    assert (made.state, made.retry_at) == (BreakerState.OPEN, later(32))


def test_failures_far_apart_and_one_that_is_told_twice_open_nothing() -> None:
    made = Breaker()
    for second in (0, 0, 0, 61, 122, 122, 183):
        made = made.failed(RULES, later(second))
    assert made.state is BreakerState.CLOSED


def test_it_goes_half_open_only_after_its_time_and_a_good_check() -> None:
    assert opened().checked(RULES, later(31), is_good=True).state is BreakerState.OPEN
    ill = opened().checked(RULES, later(33), is_good=False)
    assert ill.checked(RULES, later(34), is_good=True).state is BreakerState.OPEN
    assert ill.checked(RULES, later(39), is_good=True).state is BreakerState.HALF_OPEN


def test_half_open_a_call_that_is_carried_closes_it_and_a_failure_opens_it_again() -> None:
    assert half_open().carried(later(33)) == Breaker()
    again = half_open().failed(RULES, later(33))
    assert (again.state, again.retry_at) == (BreakerState.OPEN, later(63))
    assert half_open().checked(RULES, later(33), is_good=False).state is BreakerState.OPEN


def test_what_happened_before_it_opened_neither_closes_nor_opens_it() -> None:
    assert half_open().carried(later(1)) == half_open()
    assert half_open().failed(RULES, later(1.5)) == half_open()


def test_without_any_call_good_checks_close_it() -> None:
    assert half_open().checked(RULES, later(61), is_good=True).state is BreakerState.HALF_OPEN
    assert half_open().checked(RULES, later(62), is_good=True) == Breaker()


@given(st.lists(st.tuples(st.sampled_from(["failed", "carried", "good", "bad"]), st.floats(0, 20))))
def test_whatever_happens_good_checks_close_it_in_the_end(acts: list[tuple[str, float]]) -> None:
    made, now = Breaker(), NOON
    for act, after_s in acts:
        now += timedelta(seconds=after_s)
        made = {
            "failed": lambda one, at: one.failed(RULES, at),
            "carried": lambda one, at: one.carried(at),
            "good": lambda one, at: one.checked(RULES, at, is_good=True),
            "bad": lambda one, at: one.checked(RULES, at, is_good=False),
        }[act](made, now)
        assert len(made.failures) <= RULES.failures
        assert (made.state is BreakerState.CLOSED) == (made.retry_at is None)
    for _ in range(15):
        now += timedelta(seconds=5)
        made = made.checked(RULES, now, is_good=True)
    assert made.state is BreakerState.CLOSED


def event(kind: EventKind, cause: str | None = None, at: datetime = NOON) -> CallEvent:
    return CallEvent(new_id(), Leg.TO, kind, at, key=kind.value, cause=cause)


@pytest.mark.parametrize(
    ("heard", "verdict"),
    [
        (event(EventKind.CREATED), None),
        (event(EventKind.RINGING), False),
        (event(EventKind.HUNG_UP, "USER_BUSY"), False),
        (event(EventKind.HUNG_UP, "UNALLOCATED_NUMBER"), False),
        (event(EventKind.HUNG_UP, "NO_USER_RESPONSE"), False),
        (event(EventKind.HUNG_UP, "NORMAL_UNSPECIFIED"), None),
        (event(EventKind.HUNG_UP, "NO_ANSWER"), None),
        (event(EventKind.HUNG_UP, "ORIGINATOR_CANCEL"), None),
        (event(EventKind.HUNG_UP, "CALL_REJECTED"), None),
        (event(EventKind.HUNG_UP), None),
        (event(EventKind.HUNG_UP, "NORMAL_TEMPORARY_FAILURE"), True),
        (event(EventKind.REFUSED, "NETWORK_OUT_OF_ORDER"), True),
        (event(EventKind.HUNG_UP, "NORMAL_CIRCUIT_CONGESTION"), True),
        (event(EventKind.REFUSED, "DESTINATION_OUT_OF_ORDER"), None),
    ],
)
def test_only_what_the_network_did_not_carry_is_a_failure(
    heard: CallEvent, *, verdict: bool | None
) -> None:
    assert breaker.is_failure(heard) is verdict


@pytest.mark.parametrize(
    ("gateways", "good"),
    [({}, True), ({"a": False}, False), ({"a": False, "b": True}, True)],
)
def test_of_several_gateways_one_is_enough(gateways: dict[str, bool], *, good: bool) -> None:
    assert breaker.is_good(TrunkHealth(is_connected=True, gateways=gateways)) is good


class Ledger:
    """A trunk in the real ledger, with an impatient breaker."""

    def __init__(self, platform: Platform) -> None:
        self.platform, self.runtime = platform, platform.runtime
        self.set(failures=3, open_s=30)

    def set(self, **values: Any) -> None:
        with self.runtime.sessions.begin() as session:
            for name, value in values.items():
                entry = "calls.while_open" if name == "while_open" else f"calls.breaker_{name}"
                session.add(ConfigurationChange(name=entry, revision=len(entry), value=value))
        self.platform.configuration.refresh()

    def check(self, health: TrunkHealth) -> None:
        with self.runtime.sessions.begin() as session:
            breaker.checked(session, self.runtime, TRUNK, health)

    def hear(self, *events: CallEvent) -> None:
        with self.runtime.sessions.begin() as session:
            breaker.heard(session, self.runtime, TRUNK, [events])

    def fails(self, times: int = 1) -> None:
        for _ in range(times):
            with self.runtime.sessions.begin() as session:
                breaker.note(session, self.runtime, TRUNK, is_failure=True)

    def time_passes(self) -> None:
        with self.runtime.sessions.begin() as session:
            ago = CallTrunk.retry_at - timedelta(seconds=31)
            session.execute(update(CallTrunk).values(retry_at=ago))

    def add(self, state: str) -> UUID:
        values = {"provider": TRUNK, "ring_timeout_s": 60, "max_duration_s": 60, "state": state}
        with self.runtime.sessions.begin() as session:
            call = Call(id=new_id(), **values)
            session.add(call)
            return call.id

    def room(self, wanted: int) -> int:
        with self.runtime.sessions() as session:
            return breaker.room(session, self.runtime, TRUNK, wanted)

    def refusal(self) -> Unavailable | None:
        with self.runtime.sessions() as session:
            try:
                breaker.refuse_if_open(session, self.runtime, TRUNK)
            except Unavailable as exc:
                return exc
        return None

    def trunk(self) -> CallTrunk:
        with self.runtime.sessions() as session:
            return session.get_one(CallTrunk, TRUNK)


@pytest.fixture
def ledger(platform: Platform) -> Ledger:
    return Ledger(platform)


def test_a_trunk_nobody_has_seen_yet_takes_calls(ledger: Ledger) -> None:
    assert (ledger.room(7), ledger.refusal()) == (7, None)


def test_calls_are_refused_while_it_is_open_and_told_when_to_come_back(ledger: Ledger) -> None:
    ledger.fails(3)
    refusal = ledger.refusal()
    assert refusal is not None
    assert refusal.code == ErrorCode.TRUNK_UNAVAILABLE
    assert refusal.retry_after_s == pytest.approx(30, abs=3)
    assert ledger.room(7) == 0


def test_calls_wait_where_the_installation_wants_that(ledger: Ledger) -> None:
    ledger.set(while_open="queue")
    ledger.fails(3)
    assert (ledger.refusal(), ledger.room(7)) == (None, 0)


def test_in_production_nothing_is_dialled_over_a_simulator(ledger: Ledger) -> None:
    ledger.check(replace(WELL, is_simulated=True))
    assert (ledger.refusal(), ledger.room(7)) == (None, 7)
    settings = ledger.runtime.settings.model_copy(update={"mode": Mode.PRODUCTION})
    ledger.runtime = replace(ledger.runtime, settings=settings)
    ledger.set(while_open="queue")
    refusal = ledger.refusal()
    assert refusal is not None
    assert (refusal.code, "simulator" in refusal.message) == (ErrorCode.TRUNK_UNAVAILABLE, True)
    assert ledger.room(7) == 0
    ledger.check(WELL)
    assert (ledger.refusal(), ledger.room(7)) == (None, 7)


def test_a_connection_that_stays_away_opens_it_and_one_that_is_back_closes_it(
    ledger: Ledger,
) -> None:
    for _ in range(3):
        ledger.check(ILL)
    assert (ledger.trunk().breaker, ledger.trunk().is_connected) == ("open", False)
    for expected in ("half_open", "closed"):
        ledger.time_passes()
        ledger.check(WELL)
        assert ledger.trunk().breaker == expected
    assert ledger.trunk().gateways == {"trunk": True}


def test_half_open_calls_are_taken_and_dialled_one_at_a_time(ledger: Ledger) -> None:
    ledger.fails(3)
    ledger.time_passes()
    ledger.check(WELL)
    assert (ledger.refusal(), ledger.room(7)) == (None, 1)
    ledger.add("answered")
    assert (ledger.refusal(), ledger.room(7)) == (None, 1)
    ledger.add("dialing")
    assert ledger.refusal() is not None
    assert ledger.room(7) == 0


def test_a_call_that_rings_closes_it(ledger: Ledger) -> None:
    ledger.fails(3)
    ledger.time_passes()
    ledger.check(WELL)
    now = datetime.now(UTC)
    ledger.hear(event(EventKind.CREATED, at=now), event(EventKind.RINGING, at=now))
    assert (ledger.trunk().breaker, ledger.trunk().failures) == ("closed", [])


@pytest.mark.parametrize(
    ("cause", "state"), [("NORMAL_UNSPECIFIED", "half_open"), ("USER_BUSY", "closed")]
)
def test_a_probe_that_ends_without_a_reason_proves_nothing_and_the_next_is_let_in(
    ledger: Ledger, platform: Platform, cause: str, state: str
) -> None:
    ledger.fails(3)
    ledger.time_passes()
    ledger.check(WELL)
    probe = dialled(platform, add_user(platform))
    assert ledger.room(7) == 0
    end = event(EventKind.HUNG_UP, cause, at=datetime.now(UTC))
    told(platform, replace(end, call_id=probe.call_id))
    assert (ledger.trunk().breaker, ledger.room(1), ledger.refusal()) == (state, 1, None)


def test_the_same_end_heard_again_counts_once_and_one_after_ringing_not_at_all(
    ledger: Ledger,
) -> None:
    now = datetime.now(UTC)
    end = event(EventKind.HUNG_UP, "NORMAL_CIRCUIT_CONGESTION", at=now)
    rang = event(EventKind.RINGING, at=now - timedelta(seconds=1))
    for _ in range(3):
        ledger.hear(end)
        ledger.hear(end, rang)
    assert (ledger.trunk().breaker, len(ledger.trunk().failures)) == ("closed", 1)


def test_what_failed_long_ago_and_is_heard_now_does_not_count(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.hear(event(EventKind.HUNG_UP, "NETWORK_OUT_OF_ORDER"))
    assert ledger.trunk().failures == []


def test_calls_that_are_not_carried_let_it_open_and_the_next_is_not_taken(
    ledger: Ledger, platform: Platform
) -> None:
    user_id = add_user(platform, subscription_tier="enterprise")
    waiting = [dialled(platform, user_id) for _ in range(3)]
    later_one = asked(platform, user_id)
    for dial in waiting:
        end = event(EventKind.HUNG_UP, "NORMAL_CIRCUIT_CONGESTION", at=datetime.now(UTC))
        told(platform, replace(end, call_id=dial.call_id))
    with pytest.raises(Unavailable, match="do not get through"):
        asked(platform, user_id)
    assert claim(platform) == []

    ledger.time_passes()
    ledger.check(WELL)
    (dial,) = claim(platform)
    assert dial.call_id == later_one.id
    rings = event(EventKind.RINGING, at=datetime.now(UTC))
    told(platform, replace(rings, call_id=dial.call_id))
    assert ledger.trunk().breaker == "closed"
    asked(platform, user_id)
