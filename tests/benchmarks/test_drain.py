from benchmarks.goals import GOALS
from benchmarks.sections import drain
from benchmarks.systems import CELERY, CELERY_THREADS

RATES = {
    "single": {"0": [400.0, 500.0, 600.0], "5": [300.0]},
    "batches": {"0": [2000.0, 3000.0, 4000.0], "5": [900.0]},
    CELERY.name: {"0": [500.0, 500.0, 500.0], "5": [400.0]},
    CELERY_THREADS.name: {"0": [400.0, 1000.0, 400.0], "5": [400.0]},
}


def test_the_goals_ratio_is_shown_with_its_range_beside_the_rates() -> None:
    figures = drain.summed_up(RATES)

    lines = drain.lines(figures)

    assert figures["jobs_per_s"]["single"] == {"0": 500.0, "5": 300.0}
    assert any(line.endswith("| 0.80 (0.50 to 1.20) |") for line in lines)
    assert any(line.endswith("| 4.00 (3.00 to 8.00) |") for line in lines)
    shown = {goal.section: goal.value({"drain": figures}) for goal in GOALS}
    assert shown["drain"] == 4.0
    assert "5 ms of waiting" in lines[0]
