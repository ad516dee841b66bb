"""Prometheus metrics of the web processes, and gauges of the platform read at each scrape.

Several processes share one port. Where PROMETHEUS_MULTIPROC_DIR is set they add their numbers up
in that folder; without it a scrape sees the process that happened to answer.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cache, lru_cache
from typing import Any

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import Engine, Row, text
from sqlalchemy.exc import SQLAlchemyError

from stellwerk.bootstrap import Platform
from stellwerk.clock import lowest_id_since, utc_now
from stellwerk_api.call_metrics import CallMetrics
from stellwerk_api.module_metrics import ModuleGauges
from stellwerk_api.people_metrics import PeopleGauges

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)

_REQUESTS = Histogram(
    "stellwerk_http_request_duration_seconds",
    "Time to answer a request.",
    ["route", "method", "status"],
    buckets=_BUCKETS_S,
)

_ERRORS = Counter("stellwerk_http_errors", "Errors answered, by the envelope's code.", ["code"])
_LIMITED = Counter("stellwerk_rate_limited", "Requests refused with 429, by limit.", ["policy"])
_UNCOUNTED = Counter(
    "stellwerk_rate_uncounted",
    "Requests that Redis could not count: let_through, counted_here by the process, or refused.",
    ["policy", "outcome"],
)

FINISHED_WITHIN_S = 300
_LOOK_BACK = timedelta(hours=1)  # jobs that took longer than this are not seen
_LOOK_AT_MOST = 100_000  # rows of the primary key's end: what a scrape may cost

# Each half is answered by an index alone (ix_jobs_due, ix_jobs_active).
UNFINISHED = text("""
    SELECT queue, 'queued' AS status, count(*) AS number,
        count(*) FILTER (WHERE run_at <= now()) AS due,
        coalesce(extract(epoch FROM now() - min(run_at) FILTER (WHERE run_at <= now())), 0)
            AS oldest_s
    FROM jobs WHERE status = 'queued' GROUP BY queue
    UNION ALL
    SELECT queue, status, count(*), 0, 0
    FROM jobs WHERE status IN ('running', 'waiting') GROUP BY queue, status
""")


_FINISHED = text("""
    SELECT operation, status, count(*) AS number,
        avg(extract(epoch FROM finished_at - started_at)) AS mean_s
    FROM (SELECT operation, status, started_at, finished_at FROM jobs
          WHERE id > :oldest ORDER BY id DESC LIMIT :at_most) newest
    WHERE finished_at > now() - make_interval(secs => :within_s)
    GROUP BY operation, status
""")
_OWED = text("""
    SELECT j.operation, o.party, count(*) AS number
    FROM job_ends_owed o JOIN jobs j ON j.id = o.job_id GROUP BY j.operation, o.party
""")


def observe_request(route: str, method: str, status: int, duration_s: float) -> None:
    """Count one answer."""
    known = method if method in _METHODS else "other"
    _answers(route, known, status).observe(duration_s)


@cache
def _answers(route: str, method: str, status: int) -> Histogram:
    """Found without the library's lock; there are as many as it keeps itself."""
    return _REQUESTS.labels(route, method, str(status))


def count_error(code: str) -> None:
    """Count one error envelope."""
    _ERRORS.labels(code).inc()


def count_limited(policy: str) -> None:
    """Count one request over a limit."""
    _LIMITED.labels(policy).inc()


def count_uncounted(policy: str, outcome: str) -> None:
    """Count one request that Redis could not count."""
    _UNCOUNTED.labels(policy, outcome).inc()


def exposition(platform: Platform) -> bytes:
    """Everything in Prometheus's text format."""
    gauges = CollectorRegistry()
    gauges.register(PlatformGauges(platform))
    gauges.register(people_gauges(platform.engine))
    gauges.register(call_metrics(platform.engine))
    gauges.register(ModuleGauges(platform.engine))
    return generate_latest(_of_processes()) + generate_latest(gauges)


@lru_cache(1)
def people_gauges(engine: Engine) -> PeopleGauges:
    """One for the process: it remembers what it counted."""
    return PeopleGauges(engine)


@lru_cache(1)
def call_metrics(engine: Engine) -> CallMetrics:
    """One for the process: it remembers what changes no more."""
    return CallMetrics(engine)


class PlatformGauges(Collector):
    """What Postgres and Redis say at this moment."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing, so that registering asks no database."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read them."""
        redis = self._platform.live_client.is_reachable()
        yield GaugeMetricFamily("stellwerk_redis_up", "Whether Redis answers.", value=float(redis))
        try:
            with self._platform.engine.connect() as connection:
                unfinished = connection.execute(UNFINISHED).all()
                finished = connection.execute(_FINISHED, _bounds()).all()
                owed = connection.execute(_OWED).all()
        except SQLAlchemyError:
            yield _postgres_up(0)
            return
        yield _postgres_up(1)
        yield from _of_unfinished(unfinished)
        yield from _of_finished(finished)
        yield _of_owed(owed)


def _postgres_up(value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily("stellwerk_postgres_up", "Whether Postgres answers.", value=value)


def _of_unfinished(rows: Sequence[Row[Any]]) -> Iterator[GaugeMetricFamily]:
    jobs = GaugeMetricFamily(
        "stellwerk_jobs", "Unfinished jobs by queue and stored status.", labels=["queue", "status"]
    )
    depth = GaugeMetricFamily(
        "stellwerk_queue_depth", "Due jobs that no worker has claimed.", labels=["queue"]
    )
    oldest = GaugeMetricFamily(
        "stellwerk_queue_oldest_seconds", "How long the first of them waits.", labels=["queue"]
    )
    for row in rows:
        jobs.add_metric([row.queue, row.status], row.number)
        if row.status == "queued":
            depth.add_metric([row.queue], row.due)
            oldest.add_metric([row.queue], float(row.oldest_s))
    yield from (jobs, depth, oldest)


def _bounds() -> dict[str, object]:
    return {
        "oldest": lowest_id_since(utc_now() - _LOOK_BACK),
        "at_most": _LOOK_AT_MOST,
        "within_s": FINISHED_WITHIN_S,
    }


def _of_finished(rows: Sequence[Row[Any]]) -> Iterator[GaugeMetricFamily]:
    labels = ["operation", "status"]
    number = GaugeMetricFamily(
        "stellwerk_jobs_finished", "Jobs that ended in the last 5 minutes.", labels=labels
    )
    mean = GaugeMetricFamily(
        "stellwerk_jobs_finished_mean_seconds", "From their start to their end.", labels=labels
    )
    for row in rows:
        number.add_metric([row.operation, row.status], row.number)
        if row.mean_s is not None:  # none of them had started
            mean.add_metric([row.operation, row.status], float(row.mean_s))
    yield from (number, mean)


def _of_owed(rows: Sequence[Row[Any]]) -> GaugeMetricFamily:
    owed = GaugeMetricFamily(
        "stellwerk_job_ends_owed",
        "Ends of jobs that a hook or a listener raised at, and is told again.",
        labels=["operation", "party"],
    )
    for row in rows:
        owed.add_metric([row.operation, row.party], row.number)
    return owed


def _of_processes() -> CollectorRegistry:
    if values.ValueClass is values.MutexValue:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # prometheus_client types it not
    return shared
