"""Accepting many jobs with one request."""

from collections.abc import Mapping
from statistics import median
from typing import Any

import orjson

from benchmarks import ledger
from benchmarks.exchange import Request
from benchmarks.people import sign_in
from benchmarks.sender import sender
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage

JOBS = 1_000  # in one request, the most that is taken


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """Jobs per second of one client that sends full requests one after another."""
    ledger.clear(stage)
    ledger.settle(stage)
    with stage.running("web"), sender(stage.web_url) as client:
        person = sign_in(stage)[0]
        entry = {"operation": ledger.OPERATION, "payload": {"message": "hello"}}
        body = orjson.dumps({"jobs": [entry] * JOBS})
        request = Request("POST", "/api/v1/jobs/bulk", person.headers, body)
        client.send(request)
        took_s = [client.timed(request) for _ in range(sizes.bulk_requests)]
    return {
        "jobs_per_request": JOBS,
        "requests": len(took_s),
        "jobs_per_s": round(JOBS / median(took_s)),
        "p50_ms": round(median(took_s) * 1000, 1),
    }


def lines(figures: Mapping[str, Any]) -> list[str]:
    """One table."""
    return [
        "| `POST /jobs/bulk`, one client | |",
        "| --- | ---: |",
        f"| jobs a second, {JOBS:,} in each request | {figures['jobs_per_s']:,.0f} |",
        f"| one request, median | {figures['p50_ms']:.0f} ms |",
    ]
