"""Metrics of calls, counted from the ledger: the same in every process that a scrape may see.

Calls that ended more than an hour ago change no more: each process counts them once, and at each
scrape only those since. Calls of which nobody knows what became, and those that were not dialled
and may be tried again, are gauges: a counter must never go back.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import SQLAlchemyError

TALKED_S = (5, 15, 30, 60, 120, 300, 600, 1800, 3600)
WAITED_S = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)
FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def _place(value: str, bounds: Sequence[float]) -> str:
    """Which of a histogram's buckets a value is in."""
    array = ", ".join(map(str, bounds))
    return f"(SELECT count(*) FROM unnest(ARRAY[{array}]) b WHERE b < {value})"  # noqa: S608  constants


_WAIT = "extract(epoch FROM intended_at - created_at)"
_ENDED = text(f"""
    SELECT provider AS trunk, state, coalesce(cause, '') AS cause,
        is_uncertain OR refusal IS NOT NULL AS is_open_ended,
        answered_at IS NOT NULL AS is_answered, intended_at IS NOT NULL AS is_dialled,
        {_place("duration_s", TALKED_S)} AS talk_place, {_place(_WAIT, WAITED_S)} AS wait_place,
        count(*) AS number, sum(dials) AS dials, coalesce(sum(duration_s), 0) AS talk_s,
        coalesce(sum({_WAIT}), 0) AS wait_s, count(*) FILTER (WHERE is_simulated) AS simulated,
        coalesce(sum(cost_eur) FILTER (WHERE NOT is_simulated), 0) AS cost_eur
    FROM calls WHERE ended_at >= :since AND ended_at < :until
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
""")  # noqa: S608  put together from constants only
_OPEN = text("""
    SELECT provider AS trunk, state, count(*) AS number, sum(dials) AS dials FROM calls
    WHERE state IN ('queued', 'dialing', 'ringing', 'answered') GROUP BY provider, state
""")
_TRUNKS = text("""
    SELECT name AS trunk, is_connected, is_simulated, gateways, breaker,
        coalesce(held_until > clock_timestamp(), false) AS is_held
    FROM call_trunks ORDER BY name
""")
# Rows are never removed; one that is told twice takes a number too.
_EVENTS = text("SELECT coalesce(max(id), 0) FROM call_events")
_UNTIL = text("SELECT date_trunc('hour', clock_timestamp() - interval '1 hour') AS settled")
_FAR = datetime(9999, 1, 1, tzinfo=UTC)

Labels = tuple[str, ...]


@dataclass(slots=True)
class Totals:
    """What calls that have ended add up to."""

    ended: Counter[Labels] = field(default_factory=Counter)  # trunk, state, cause
    unsettled: Counter[Labels] = field(default_factory=Counter)  # the same
    dials: Counter[str] = field(default_factory=Counter)
    talks: Counter[tuple[str, int]] = field(default_factory=Counter)  # trunk, bucket
    talk_s: Counter[str] = field(default_factory=Counter)
    waits: Counter[tuple[str, int]] = field(default_factory=Counter)
    wait_s: Counter[str] = field(default_factory=Counter)
    cost_eur: Counter[str] = field(default_factory=Counter)
    simulated: Counter[str] = field(default_factory=Counter)

    def add(self, rows: Sequence[Row[Any]]) -> "Totals":
        """The same with these calls."""
        made = Totals(*(Counter(getattr(self, name)) for name in Totals.__slots__))
        for row in rows:
            made._count(row)
        return made

    def _count(self, row: Row[Any]) -> None:
        labels = (row.trunk, row.state, row.cause)
        self.dials[row.trunk] += row.dials
        if row.is_open_ended:
            self.unsettled[labels] += row.number
            return
        self.ended[labels] += row.number
        self.cost_eur[row.trunk] += row.cost_eur
        self.simulated[row.trunk] += row.simulated
        if row.is_answered:
            self.talks[row.trunk, row.talk_place] += row.number
            self.talk_s[row.trunk] += row.talk_s
        if row.is_dialled:
            self.waits[row.trunk, row.wait_place] += row.number
            self.wait_s[row.trunk] += row.wait_s


class CallMetrics(Collector):
    """What Postgres says of calls; nothing while it does not answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._settled, self._until = Totals(), FIRST
        self._lock = Lock()

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing, so that registering asks no database."""
        yield from ()

    def collect(self) -> Iterator[Any]:
        """Read them."""
        try:
            with self._engine.connect() as connection:
                totals = self._totals(connection)
                unfinished = connection.execute(_OPEN).all()
                trunks = connection.execute(_TRUNKS).all()
                events = connection.scalar(_EVENTS) or 0
        except SQLAlchemyError:
            return
        yield from _of_totals(totals, unfinished)
        yield from _of_trunks(trunks)
        yield CounterMetricFamily("stellwerk_call_events", "Events of calls heard.", value=events)

    def _totals(self, connection: Connection) -> Totals:
        with self._lock:
            until = connection.scalars(_UNTIL).one()
            if until > self._until:
                between = {"since": self._until, "until": until}
                self._settled = self._settled.add(connection.execute(_ENDED, between).all())
                self._until = until
            since = {"since": self._until, "until": _FAR}
            return self._settled.add(connection.execute(_ENDED, since).all())


def _of_totals(totals: Totals, unfinished: Sequence[Row[Any]]) -> Iterator[Any]:
    labels = ["trunk", "state", "cause"]
    yield _filled(
        CounterMetricFamily("stellwerk_calls_ended", "Calls that have ended.", labels=labels),
        totals.ended,
    )
    yield _filled(
        GaugeMetricFamily(
            "stellwerk_calls_unsettled",
            "Calls of which nobody knows whether they were dialled, and refused ones.",
            labels=labels,
        ),
        totals.unsettled,
    )
    under_way: dict[Labels, float] = {(row.trunk, row.state): row.number for row in unfinished}
    about = "Calls that wait or are under way."
    yield _filled(GaugeMetricFamily("stellwerk_calls", about, labels=["trunk", "state"]), under_way)
    dials = Counter(totals.dials)
    for row in unfinished:
        dials[row.trunk] += row.dials
    yield _by_trunk("stellwerk_call_originations", "Intents to dial, stored before it.", dials)
    yield _by_trunk("stellwerk_calls_cost_eur", "What calls have cost.", totals.cost_eur)
    about = "Of those that have ended: carried by a simulator."
    yield _by_trunk("stellwerk_calls_simulated", about, totals.simulated)
    about = "From answer to end."
    yield _histogram("stellwerk_call_talk_seconds", about, TALKED_S, totals.talks, totals.talk_s)
    about = "From the request to the last dial."
    yield _histogram("stellwerk_call_wait_seconds", about, WAITED_S, totals.waits, totals.wait_s)


def _of_trunks(trunks: Sequence[Row[Any]]) -> Iterator[GaugeMetricFamily]:
    named = ["trunk", "simulated"]
    connected = GaugeMetricFamily("stellwerk_call_trunk_up", "Connected.", labels=named)
    held = GaugeMetricFamily(
        "stellwerk_call_trunk_held", "A telephony process holds its lease.", labels=["trunk"]
    )
    about = "1 for the state that it is in."
    breaker = GaugeMetricFamily("stellwerk_call_breaker", about, labels=["trunk", "state"])
    about = "Whether the gateway takes calls."
    gateways = GaugeMetricFamily("stellwerk_call_gateway_up", about, labels=["trunk", "gateway"])
    for row in trunks:
        connected.add_metric([row.trunk, str(row.is_simulated).lower()], row.is_connected)
        held.add_metric([row.trunk], row.is_held)
        for state in ("closed", "open", "half_open"):
            breaker.add_metric([row.trunk, state], row.breaker == state)
        for gateway, usable in sorted(row.gateways.items()):
            gateways.add_metric([row.trunk, gateway], usable)
    yield from (connected, held, breaker, gateways)


def _filled(family: Any, counted: Mapping[Labels, float]) -> Any:
    for labels, number in sorted(counted.items()):
        family.add_metric(list(labels), number)
    return family


def _by_trunk(name: str, about: str, counted: Mapping[str, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, about, labels=["trunk"])
    for trunk, number in sorted(counted.items()):
        family.add_metric([trunk], float(number))
    return family


def _histogram(
    name: str,
    about: str,
    bounds: Sequence[float],
    counted: Counter[tuple[str, int]],
    sums: Mapping[str, float],
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, about, labels=["trunk"])
    for trunk, total in sorted(sums.items()):
        buckets, below = [], 0
        for place, bound in enumerate([*map(float, bounds), "+Inf"]):
            below += counted[trunk, place]
            buckets.append((str(bound), float(below)))
        family.add_metric([trunk], buckets, float(total))
    return family
