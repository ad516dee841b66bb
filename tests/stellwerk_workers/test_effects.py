"""Effects of real workers that die, counted by a recorder that knows nothing of the ledger."""

from typing import Any

import pytest

from outcomes import outcomes
from stellwerk.bootstrap import Platform
from stellwerk.diagnostics.recorder import recorder


def times_done(platform: Platform, job: dict[str, Any]) -> int:
    counts = recorder(platform.settings).counts()
    return sum(times for key, times in counts.items() if key.startswith(job["job_id"]))


@pytest.mark.usefixtures("engine")
def test_effects_of_every_kind_happen_once(platform: Platform) -> None:
    payloads = [{"kind": kind, "count": 3} for kind in ("idempotent", "probe", "blind")]
    for job in outcomes(platform, "diagnostics.effect", payloads):
        assert job["status"] == "completed"
        assert times_done(platform, job) == len(job["result"]["keys"]) == 3


@pytest.mark.usefixtures("engine")
def test_effects_whose_worker_dies_happen_once_or_are_uncertain(platform: Platform) -> None:
    uncertain = ("failed", "EFFECT_UNCERTAIN")
    completed = ("completed", None)
    expected = {
        ("idempotent", "before_call", True): (completed, 1),
        ("idempotent", "after_call", True): (completed, 1),
        ("probe", "before_call", True): (completed, 1),
        ("probe", "after_call", True): (completed, 1),
        ("probe", "before_call", False): (uncertain, 0),
        ("probe", "after_call", False): (uncertain, 1),
        ("blind", "before_call", True): (uncertain, 0),
        ("blind", "after_call", True): (uncertain, 1),
    }
    payloads = [{"kind": kind, "crash": at, "can_tell": tells} for kind, at, tells in expected]

    jobs = outcomes(platform, "diagnostics.effect", payloads)

    assert all(job["attempt"] > 1 for job in jobs)
    found = [
        ((job["status"], (job["error"] or {}).get("code")), times_done(platform, job))
        for job in jobs
    ]
    assert dict(zip(expected, found, strict=True)) == expected
