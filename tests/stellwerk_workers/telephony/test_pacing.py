"""Calls begin as evenly as a switch admits them."""

from dataclasses import dataclass

from stellwerk_workers.telephony.pacing import BURST_S, Pace


@dataclass(slots=True)
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_backlog_begins_at_the_set_rate() -> None:
    clock = Clock()
    pace, begun = Pace(10, clock), 0
    while clock.now < 10:
        clock.now += pace.wait_s()
        count = pace.admitted()
        pace.spend(count)
        begun += count
    assert 100 <= begun <= 100 + 10 * BURST_S + 1


def test_what_was_not_used_is_caught_up_with_for_a_moment_only() -> None:
    clock = Clock()
    pace = Pace(20, clock)
    clock.now = 3600.0
    assert pace.admitted() == 20 * BURST_S
    pace.spend(pace.admitted())
    assert pace.admitted() == 0
    assert 0 < pace.wait_s() <= 1 / 20


def test_a_rate_below_one_still_admits_one_at_a_time() -> None:
    clock = Clock()
    pace = Pace(0.1, clock)
    assert pace.admitted() == 1
    pace.spend(1)
    assert pace.wait_s() == 10
