from benchmarks.goals import GOALS
from benchmarks.sections import edge

KIND = {"count": 700, "p50_ms": 5.0, "p95_ms": 40.0, "p99_ms": 90.0}
FIGURES = {
    "users": 500,
    "wanted_per_s": 1000,
    "count": 700,
    "per_s": 690.0,
    "failed": {"poll 503": 100},
    "not_sent": 200,
    "client_cores": 0.12,
    "kinds": {"read and write": KIND},
}


def test_what_was_refused_and_what_was_never_sent_are_told_apart() -> None:
    shown = "\n".join(edge.lines(FIGURES))

    assert "500 users who ask 1,000 requests/s, 690 carried" in shown
    assert "| read and write | 700 | 5.0 | 40.0 | 90.0 | 50 |" in shown
    assert "Of 1,000 requests that were due, 100 were refused, and 200 were never sent" in shown
    rows = [goal.row({"edge": FIGURES}) for goal in GOALS if goal.section == "edge"]
    assert [row.split(" | ")[-2] for row in rows[:3]] == ["690", "10.00 %", "20.00 %"]
