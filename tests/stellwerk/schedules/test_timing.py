from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.schedules.timing import COUNTED_MISSES, Timing

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ZURICH = "Europe/Zurich"


def cron(expression: str, zone: str = ZURICH) -> Timing:
    return Timing(LONG_AGO, expression, zone, None)


def every(seconds: int, starts_at: datetime = LONG_AGO) -> Timing:
    return Timing(starts_at, None, "UTC", seconds)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # 2026-03-29: at 02:00 the clocks jump to 03:00 (01:00 UTC)
        ("30 2 * * *", ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]),
        ("0 3 * * *", ["2026-03-28T02:00", "2026-03-29T01:00", "2026-03-30T01:00"]),
    ],
)
def test_a_time_that_the_clocks_jump_over_comes_right_after_the_jump(
    expression: str, expected: list[str]
) -> None:
    assert cron(expression).next_times(utc("2026-03-27T12:00"), 3) == [utc(at) for at in expected]


def test_a_time_that_exists_twice_comes_once() -> None:
    # 2026-10-25: at 03:00 the clocks go back to 02:00 (01:00 UTC)
    expected = [utc("2026-10-24T00:30"), utc("2026-10-25T00:30"), utc("2026-10-26T01:30")]
    assert cron("30 2 * * *").next_times(utc("2026-10-23T12:00"), 3) == expected


@pytest.mark.parametrize("night", ["2026-03-28T22:00", "2026-10-24T22:00"])
def test_every_half_hour_follows_real_time_over_a_change_of_the_clocks(night: str) -> None:
    times = cron("*/30 * * * *").next_times(utc(night), 12)
    assert times == [utc(night) + timedelta(minutes=30 * n) for n in range(1, 13)]


@given(
    st.sampled_from(["30 2 * * *", "*/20 1-3 * * *", "0 3 * * 0", "15 * * * *", "59 1,2 * 3,10 *"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),  # noqa: DTZ001  made aware below
)
def test_one_after_the_other_gives_the_same_times_as_all_at_once(
    expression: str, start: datetime
) -> None:
    timing, now = cron(expression), start.replace(tzinfo=UTC)
    for expected in islice(timing.times_after(now), 10):
        found = timing.after(now)
        assert found == expected
        now = found


def test_an_interval_counts_from_its_start() -> None:
    timing = every(90, utc("2026-01-01T00:00"))
    assert timing.next_times(utc("2025-12-31T12:00"), 2) == [
        utc("2026-01-01T00:00"),
        utc("2026-01-01T00:01:30"),
    ]
    assert timing.after(utc("2026-01-01T00:01:30")) == utc("2026-01-01T00:03")


def test_nothing_is_due_before_the_start() -> None:
    timing = Timing(utc("2026-05-01T00:00"), "0 * * * *", "UTC", None)
    assert timing.after(LONG_AGO) == utc("2026-05-01T00:00")


@pytest.mark.parametrize("timing", [every(60), cron("* * * * *")])
def test_the_latest_of_many_missed_times_is_found_and_they_are_counted(timing: Timing) -> None:
    planned, now = utc("2026-03-29T00:00"), utc("2026-03-29T05:00:30")
    assert timing.latest(planned, now) == (utc("2026-03-29T05:00"), 300)
    a_month_later = timing.latest(planned, now + timedelta(days=30))
    assert a_month_later == (utc("2026-04-28T05:00"), COUNTED_MISSES)
