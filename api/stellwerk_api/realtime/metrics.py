"""Prometheus metrics of this process: who is connected, what was dropped, how late events are."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

_REGISTRY = CollectorRegistry()
_DROPPED = Counter(
    "stellwerk_realtime_dropped",
    "Sockets and streams that this side ended, by code.",
    ["code"],
    registry=_REGISTRY,
)
_MISSED = Counter(
    "stellwerk_realtime_missed",
    "Changes that no event told and the comparison with the ledger found.",
    registry=_REGISTRY,
)
_COMPARISON = Histogram(
    "stellwerk_realtime_comparison_seconds",
    "Time to compare silent jobs with the ledger.",
    buckets=(0.005, 0.02, 0.1, 0.5, 1, 2, 5),
    registry=_REGISTRY,
)
_ERRORS = Counter(
    "stellwerk_realtime_errors",
    "Errors this process answered by itself, by code.",
    ["code"],
    registry=_REGISTRY,
)

_OPEN = "stellwerk_realtime_open"
_DELIVERY_BOUNDS_S = (0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 20.0)


class _Delays:
    """A histogram that costs a tenth of the library's: an event may have 10,000 deliveries."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_DELIVERY_BOUNDS_S) + 1)
        self._sum_s = 0.0

    def observe(self, delay_s: float) -> None:
        self._counts[bisect_left(_DELIVERY_BOUNDS_S, delay_s)] += 1
        self._sum_s += delay_s

    def family(self) -> HistogramMetricFamily:
        bounds = [*map(floatToGoString, _DELIVERY_BOUNDS_S), "+Inf"]
        return HistogramMetricFamily(
            "stellwerk_realtime_delivery_seconds",
            "From hearing an event to handing it to a client's socket.",
            buckets=list(zip(bounds, accumulate(self._counts), strict=True)),
            sum_value=self._sum_s,
        )


_DELIVERIES = _Delays()


def observe_delivery(delay_s: float) -> None:
    """An event went to a client's socket."""
    _DELIVERIES.observe(delay_s)


def observe_comparison(duration_s: float, missed: int) -> None:
    """The ledger was compared."""
    _COMPARISON.observe(duration_s)
    _MISSED.inc(missed)


def count_dropped(code: str) -> None:
    """A socket or stream was ended by this side."""
    _DROPPED.labels(code).inc()


def count_error(code: str) -> None:
    """An error of this process was answered."""
    _ERRORS.labels(code).inc()


def exposition(present: Mapping[str, float], *, is_connected: bool) -> bytes:
    """Everything in Prometheus's text format; `present` counts what is open, by kind."""
    gauges = CollectorRegistry()
    gauges.register(_Present(present, is_connected=is_connected))
    return generate_latest(_REGISTRY) + generate_latest(gauges)


class _Present(Collector):
    """What is open at this moment."""

    def __init__(self, present: Mapping[str, float], *, is_connected: bool) -> None:
        self._present = present
        self._is_connected = is_connected

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        kinds = GaugeMetricFamily(_OPEN, "What is open, by kind.", labels=["kind"])
        for kind, number in self._present.items():
            kinds.add_metric([kind], number)
        yield kinds
        yield _DELIVERIES.family()
        yield GaugeMetricFamily(
            "stellwerk_realtime_events_up",
            "Whether events come in from Redis.",
            value=float(self._is_connected),
        )
