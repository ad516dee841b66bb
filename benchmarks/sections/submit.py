"""Submitting a job durably, beside the least that a durable answer can cost."""

from collections.abc import Mapping
from itertools import repeat
from typing import Any

import orjson
from sqlalchemy import text

from benchmarks import ledger
from benchmarks.distribution import compared, ratio_row
from benchmarks.exchange import Request
from benchmarks.paced import paced
from benchmarks.people import sign_in
from benchmarks.saturated import generator, saturate
from benchmarks.sections.poll import bare_application
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage

RATES_PER_S = (200, 500)
CONNECTIONS = 32
BODY = orjson.dumps({"operation": ledger.OPERATION, "payload": {"message": "hello"}})
_TABLE = text("""
    CREATE TABLE IF NOT EXISTS bare_jobs (id uuid PRIMARY KEY, operation varchar(80) NOT NULL,
        payload jsonb NOT NULL, created_at timestamptz NOT NULL)
""")
_DROP = text("DROP TABLE bare_jobs")


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """Rates in turns; then latencies at fixed rates, with nobody and with a worker at work."""
    with stage.platform.engine.begin() as connection:
        connection.execute(_TABLE)
    try:
        with stage.running("web"), bare_application(stage, "core_commit") as bare_url:
            rates = _rates(stage, bare_url, sizes)
            bare = _latencies(bare_url, _bare_request(), sizes)
        with stage.running("web"):
            accepting = _our_latencies(stage, sizes)
        with stage.running("web", "worker_short", "dispatcher"):
            working = _our_latencies(stage, sizes)
    finally:
        with stage.platform.engine.begin() as connection:
            connection.execute(_DROP)
    return {
        "generator": generator(),
        **rates,
        "paced": {"accepting": accepting, "working": working, "bare": bare},
    }


def lines(figures: Mapping[str, Any]) -> list[str]:
    """Two tables."""
    rates = [
        "| `POST /jobs`, answered when durable | requests/s |",
        "| --- | ---: |",
        f"| Stellwerk | {figures['ours_per_s']:,.0f} |",
        f"| bare flask-smorest route with one Core commit | {figures['theirs_per_s']:,.0f} |",
        ratio_row(figures),
        "",
        "| latency, ms | "
        + " | ".join(f"{rate}/s p50 | {rate}/s p99" for rate in RATES_PER_S)
        + " |",
        "| --- |" + " ---: |" * 2 * len(RATES_PER_S),
    ]
    names = {
        "accepting": "Stellwerk, web process alone",
        "working": "Stellwerk, with worker and dispatcher carrying the jobs out",
        "bare": "bare flask-smorest route",
    }
    return rates + [
        f"| {shown} | "
        + " | ".join(
            f"{found['p50_ms']:.1f} | {found['p99_ms']:.1f}"
            for found in figures["paced"][name].values()
        )
        + " |"
        for name, shown in names.items()
    ]


def _rates(stage: Stage, bare_url: str, sizes: Sizes) -> dict[str, Any]:
    ours: list[float] = []
    theirs: list[float] = []
    person = sign_in(stage)[0]
    request = Request("POST", "/api/v1/jobs", person.headers, BODY)
    for _ in range(sizes.rounds):
        ledger.clear(stage)
        ledger.settle(stage)
        saturate(stage.web_url, request, seconds=1)
        ours.append(saturate(stage.web_url, request, seconds=sizes.round_s).per_s)
        saturate(bare_url, _bare_request(), seconds=1)
        theirs.append(saturate(bare_url, _bare_request(), seconds=sizes.round_s).per_s)
    return compared(ours, theirs)


def _our_latencies(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    ledger.clear(stage)
    ledger.settle(stage)
    person = sign_in(stage)[0]
    return _latencies(
        stage.web_url, Request("POST", "/api/v1/jobs", person.headers, BODY, "submit"), sizes
    )


def _latencies(url: str, request: Request, sizes: Sizes) -> dict[str, Any]:
    users = [repeat(request) for _ in range(CONNECTIONS)]
    paced(url, users, per_s=RATES_PER_S[0], seconds=1)
    return {
        str(rate): paced(url, users, per_s=rate, seconds=sizes.paced_s).figures()
        for rate in RATES_PER_S
    }


def _bare_request() -> Request:
    headers = {"Content-Type": "application/json"}
    return Request("POST", "/jobs/", headers, BODY, "submit")
