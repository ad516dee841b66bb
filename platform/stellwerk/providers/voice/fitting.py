"""How spoken passages are made to last a wanted time: pauses first, then a little tempo."""

from collections.abc import Sequence
from dataclasses import dataclass

LEAD_IN_S = 0.4
PAUSE_S = 0.6
TAIL_S = 1.0
PAUSES_AT_LEAST, PAUSES_AT_MOST = 0.6, 1.6  # times the natural ones
PAUSES_IN_NEED = 3.0
SLOWEST, FASTEST = 0.9, 1.1  # beyond, a voice sounds drugged or hurried


@dataclass(frozen=True, slots=True)
class Fit:
    """Silences before each passage and at the end, and the tempo of the whole (1.0: as spoken).

    The silences are meant before the tempo is applied.
    """

    silences_s: tuple[float, ...]
    tempo: float


def fit(spoken_s: Sequence[float], target_s: float | None) -> Fit:
    """Silences and tempo with which passages of these lengths last `target_s`.

    Nearest to natural comes first: pauses within 0.6 to 1.6 times the usual, then tempo within
    0.9 to 1.1, then pauses up to three times. What that cannot mend stays; compare lengths.
    """
    natural = (LEAD_IN_S, *(PAUSE_S for _ in spoken_s[1:]), TAIL_S)
    if target_s is None:
        return Fit(natural, tempo=1.0)
    speech_s, pauses_s = sum(spoken_s), sum(natural)
    wanted = (target_s - speech_s) / pauses_s
    stretch = _within(wanted, PAUSES_AT_LEAST, PAUSES_AT_MOST)
    tempo = _within((speech_s + stretch * pauses_s) / target_s, SLOWEST, FASTEST)
    if tempo == SLOWEST:
        still_wanted = (target_s * tempo - speech_s) / pauses_s
        stretch = _within(still_wanted, PAUSES_AT_MOST, PAUSES_IN_NEED)
    return Fit(tuple(pause_s * stretch for pause_s in natural), tempo)


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
