"""Speech is fitted to a length gently: pauses first, tempo second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.providers.voice.fitting import FASTEST, PAUSE_S, SLOWEST, fit

PASSAGES = st.lists(st.floats(1.0, 20.0), min_size=2, max_size=30)


def _lasts_s(spoken_s: list[float], target_s: float | None) -> float:
    fitted = fit(spoken_s, target_s)
    return (sum(spoken_s) + sum(fitted.silences_s)) / fitted.tempo


@given(spoken_s=PASSAGES, error=st.floats(0.93, 1.07))
def test_what_is_nearly_right_becomes_exact(spoken_s: list[float], error: float) -> None:
    target_s = _lasts_s(spoken_s, None) * error
    assert _lasts_s(spoken_s, target_s) == pytest.approx(target_s, rel=0.001)


@given(spoken_s=PASSAGES, target_s=st.floats(1, 1000))
def test_no_target_makes_a_voice_robotic(spoken_s: list[float], target_s: float) -> None:
    fitted = fit(spoken_s, target_s)
    assert SLOWEST <= fitted.tempo <= FASTEST
    assert all(0.2 <= silence_s <= 3.0 for silence_s in fitted.silences_s)


def test_without_a_target_everything_is_natural() -> None:
    fitted = fit([5.0, 5.0], None)
    assert fitted.tempo == 1.0
    assert fitted.silences_s[1] == PAUSE_S


def test_a_little_time_is_found_in_the_pauses_alone() -> None:
    assert fit([5.0, 5.0, 5.0], 18.5).tempo == 1.0
