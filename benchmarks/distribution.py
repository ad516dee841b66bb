"""What a list of measurements says."""

from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from typing import Any

_HUNDREDTHS = 100


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that this share of them does not exceed."""
    if len(values) == 1:
        return values[0]
    return quantiles(values, n=_HUNDREDTHS, method="inclusive")[percent - 1]


def milliseconds(values_s: Sequence[float]) -> dict[str, Any]:
    """The usual percentiles of durations given in seconds."""
    return {
        "count": len(values_s),
        "p50_ms": round(percentile(values_s, 50) * 1000, 2),
        "p95_ms": round(percentile(values_s, 95) * 1000, 2),
        "p99_ms": round(percentile(values_s, 99) * 1000, 2),
    }


def compared(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Two rates measured in turns: medians, and the median of each turn's ratio with its range."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return {
        "ours_per_s": round(median(ours), 1),
        "theirs_per_s": round(median(theirs), 1),
        "ratio": round(median(ratios), 3),
        "ratio_low": round(min(ratios), 3),
        "ratio_high": round(max(ratios), 3),
    }


def spread(figures: Mapping[str, Any]) -> str:
    """The ratio that `compared` gave, with its range."""
    low, high = figures["ratio_low"], figures["ratio_high"]
    return f"{figures['ratio']:.2f} ({low:.2f} to {high:.2f})"


def ratio_row(figures: Mapping[str, Any]) -> str:
    """The last line of a table that shows what `compared` gave."""
    return f"| ratio (lowest and highest turn) | {spread(figures)} |"
