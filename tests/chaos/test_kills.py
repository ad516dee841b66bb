"""The short form of `make chaos`: workers are killed under load, and everything is counted."""

from pathlib import Path

import pytest

from kills_ours import our_platform, run_ours

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("kills"), pytest.mark.timeout(300)]

JOBS = 600
KILLS = 5
STANDS_STILL_S = 20.0  # a machine that does other things, at most
IMPATIENT = {"job_lease_s": 8, "job_heartbeat_s": 2, "job_republish_after_s": 8}


def test_of_jobs_under_hard_kills_none_is_lost_and_no_effect_happens_twice(tmp_path: Path) -> None:
    with our_platform(tmp_path, **IMPATIENT) as platform:
        tally = run_ours(platform, tmp_path, jobs=JOBS, kills=KILLS)
    tally.rescue_within_s += STANDS_STILL_S
    assert tally.faults() == []
