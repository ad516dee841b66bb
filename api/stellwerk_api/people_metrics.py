"""Gauges of who uses the platform, by tier; counted anew once a minute in each process."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.clock import lowest_id_since, utc_now

COUNTED_FOR_S = 60.0
WINDOWS: Mapping[str, timedelta] = MappingProxyType(
    {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}
)
SUBMITTED_WITHIN = timedelta(minutes=5)

Rows = Sequence[Row[Any]]

# Sessions and jobs by their primary keys, which sort by age.
_ACTIVE = text("""
    SELECT u.subscription_tier AS tier, count(*) AS number FROM users u
    WHERE u.id IN (
        SELECT user_id FROM user_sessions WHERE id >= :since
        UNION SELECT user_id FROM api_keys WHERE last_used_at >= :moment)
    GROUP BY u.subscription_tier
""")
_ACCOUNTS = text("""
    SELECT subscription_tier AS tier, is_active AS active, count(*) AS number FROM users
    GROUP BY subscription_tier, is_active
""")
_SUBMITTED = text("""
    SELECT coalesce(u.subscription_tier, 'system') AS tier, count(*) AS number
    FROM jobs j LEFT JOIN users u ON u.id = j.owner_id WHERE j.id >= :since
    GROUP BY u.subscription_tier
""")
_REQUESTS = text("""
    SELECT kind, status, count(*) AS number FROM privacy_requests
    WHERE finished_at IS NULL OR status = 'failed' GROUP BY kind, status
""")


class PeopleGauges(Collector):
    """What Postgres says of people; nothing while it does not answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counted: list[GaugeMetricFamily] = []
        self._until = 0.0  # monotonic

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing, so that registering asks no database."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges, as they were counted last."""
        if time.monotonic() >= self._until:
            try:
                with self._engine.connect() as connection:
                    self._counted = list(_count(connection))
            except SQLAlchemyError:
                return
            self._until = time.monotonic() + COUNTED_FOR_S
        yield from self._counted


def _count(connection: Connection) -> Iterator[GaugeMetricFamily]:
    yield _active(connection)
    accounts = connection.execute(_ACCOUNTS).all()
    yield _gauge("stellwerk_users", "Accounts by tier.", ["tier", "active"], accounts)
    since = {"since": lowest_id_since(utc_now() - SUBMITTED_WITHIN)}
    yield _gauge(
        "stellwerk_jobs_submitted",
        "Jobs submitted in the last 5 minutes, by their owner's tier.",
        ["tier"],
        connection.execute(_SUBMITTED, since).all(),
    )
    yield _gauge(
        "stellwerk_privacy_requests",
        "Exports and erasures that are under way or failed.",
        ["kind", "status"],
        connection.execute(_REQUESTS).all(),
    )


def _active(connection: Connection) -> GaugeMetricFamily:
    active = GaugeMetricFamily(
        "stellwerk_users_active",
        "Users who signed in, or used an API key, within the window.",
        labels=["window", "tier"],
    )
    for window, length in WINDOWS.items():
        moment = utc_now() - length
        values = {"since": lowest_id_since(moment), "moment": moment}
        for row in connection.execute(_ACTIVE, values):
            active.add_metric([window, row.tier], row.number)
    return active


def _gauge(name: str, described: str, labels: list[str], rows: Rows) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, described, labels=labels)
    for row in rows:
        gauge.add_metric([str(getattr(row, label)).lower() for label in labels], row.number)
    return gauge
