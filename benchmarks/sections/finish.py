"""From the first byte of the submission until the client has seen that the job is done."""

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from benchmarks import ledger
from benchmarks.distribution import milliseconds
from benchmarks.sender import Sender, sender
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.systems import Client, our_client, rivals

OURS = "Stellwerk"
WORK_MS = (0, 5)
PAUSE_S = 0.02  # between jobs: the system is idle when one comes
LOOK_EVERY_S = 0.001
DONE_WITHIN_S = 30.0
WARM_UP = 10
_IN_LEDGER = text("""
    SELECT extract(epoch FROM finished_at - created_at)::float8 FROM jobs
    WHERE finished_at IS NOT NULL AND (payload ->> 'wait_ms')::int = :wait_ms
""")


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """Percentiles by system and by milliseconds of waiting in the job."""
    ledger.clear(stage)
    with our_client(stage) as ours:
        figures = {OURS: _measured(ours, sizes)}
        with stage.platform.engine.connect() as connection:
            in_ledger = [
                list(connection.execute(_IN_LEDGER, {"wait_ms": wait_ms}).scalars())
                for wait_ms in WORK_MS
            ]
    for rival in rivals(everybody=sizes.everybody):
        ledger.clear(stage)
        with rival.client(stage) as theirs:
            figures[rival.name] = _measured(theirs, sizes)
    names = map(str, WORK_MS)
    return {
        "seen": figures,
        "in_ledger": dict(zip(names, map(milliseconds, in_ledger), strict=True)),
    }


def lines(figures: Mapping[str, Any]) -> list[str]:
    """One table."""
    rows = dict(figures["seen"])
    rows["Stellwerk, from row to outcome by Postgres's clock"] = figures["in_ledger"]
    return [
        "| submitted to finished, ms | no-op p50 | p99 | 5 ms of waiting p50 | p99 |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {found['0']['p50_ms']:.1f} | {found['0']['p99_ms']:.1f} "
            f"| {found['5']['p50_ms']:.1f} | {found['5']['p99_ms']:.1f} |"
            for name, found in rows.items()
        ),
    ]


def finish_one(client: Client, http: Sender, wait_ms: int) -> float:
    """Submit a job and poll it until it is done; how long that took, in seconds."""
    began_s = time.perf_counter()
    job_id = client.job_id(http.send(client.submit(wait_ms)).body)
    request = client.poll(job_id)
    while not client.is_finished(http.send(request).body):
        if time.perf_counter() > began_s + DONE_WITHIN_S:
            raise TimeoutError(f"job {job_id} is not done after {DONE_WITHIN_S:g} s")
        time.sleep(LOOK_EVERY_S)
    return time.perf_counter() - began_s


def _measured(client: Client, sizes: Sizes) -> dict[str, Any]:
    with sender(client.url) as http:
        for _ in range(WARM_UP):
            finish_one(client, http, 1)
        return {
            str(wait_ms): milliseconds(
                [_after_a_pause(client, http, wait_ms) for _ in range(sizes.finish_jobs)]
            )
            for wait_ms in WORK_MS
        }


def _after_a_pause(client: Client, http: Sender, wait_ms: int) -> float:
    time.sleep(PAUSE_S)
    return finish_one(client, http, wait_ms)
