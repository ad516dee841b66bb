"""Prometheus metrics of this process: who is connected, what was dropped, how late events are."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_REGISTRY = CollectorRegistry()
_DELIVERY = Histogram(
    "stellwerk_realtime_delivery_seconds",
    "From hearing an event to handing it to a client's socket.",
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 20),
    registry=_REGISTRY,
)
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


def observe_delivery(delay_s: float) -> None:
    """An event went to a client's socket."""
    _DELIVERY.observe(delay_s)


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

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges."""
        kinds = GaugeMetricFamily(_OPEN, "What is open, by kind.", labels=["kind"])
        for kind, number in self._present.items():
            kinds.add_metric([kind], number)
        yield kinds
        yield GaugeMetricFamily(
            "stellwerk_realtime_events_up",
            "Whether events come in from Redis.",
            value=float(self._is_connected),
        )
