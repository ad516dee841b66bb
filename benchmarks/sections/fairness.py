"""How long one job of one user waits behind another user's thousands."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text

from benchmarks import ledger
from benchmarks.people import sign_in
from benchmarks.sender import sender
from benchmarks.sizes import Sizes
from benchmarks.stage import SLOTS, Stage, wait_until
from benchmarks.systems import OurClient

WAIT_MS = 50
STARTED_WITHIN_S = 180.0
_STARTED_AFTER_S = text("""
    SELECT extract(epoch FROM started_at - created_at)::float8 FROM jobs WHERE id = :id
""")


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """Seconds until the second user's job starts, and what is left of the first one's then."""
    ledger.clear(stage)
    ledger.settle(stage)
    first, second = sign_in(stage, 2)
    with stage.running("web", "worker_short", "dispatcher") as children:
        ledger.add_waiting(stage, sizes.fairness_jobs, owner_id=first.user_id, wait_ms=WAIT_MS)
        wait_until(lambda: ledger.finished(stage) >= SLOTS, within_s=STARTED_WITHIN_S)
        with sender(stage.web_url) as http:
            client = OurClient(stage.web_url, children, second)
            job_id = client.job_id(http.send(client.submit(0)).body)
        wait_until(lambda: _started_after_s(stage, job_id), within_s=STARTED_WITHIN_S)
        left = max(0, sizes.fairness_jobs - ledger.finished(stage))
        return {
            "jobs_ahead": sizes.fairness_jobs,
            "job_ms": WAIT_MS,
            "started_after_s": round(_started_after_s(stage, job_id) or 0.0, 3),
            "left_then": left,
            "left_would_take_s": round(left * WAIT_MS / 1000 / SLOTS, 1),
        }


def lines(figures: Mapping[str, Any]) -> list[str]:
    """One table."""
    ahead = f"{figures['jobs_ahead']:,} jobs of {figures['job_ms']} ms"
    return [
        f"| {ahead} of one user, then one of another | |",
        "| --- | ---: |",
        f"| the other's job started after | {figures['started_after_s']:.2f} s |",
        f"| jobs of the first user that were still waiting then | {figures['left_then']:,} |",
        f"| which take at least | {figures['left_would_take_s']:.0f} s |",
    ]


def _started_after_s(stage: Stage, job_id: str) -> float | None:
    with stage.platform.engine.connect() as connection:
        found = connection.execute(_STARTED_AFTER_S, {"id": UUID(job_id)}).scalar_one()
    return None if found is None else float(found)
