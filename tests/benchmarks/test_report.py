import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.goals import GOALS, Goal, Verdict
from benchmarks.report import BEGIN, END, Report

BULK = {
    "taken_at": "2026-01-01T00:00Z",
    "seconds": 1.0,
    "load_before": 0.5,
    "figures": {"jobs_per_request": 1000, "requests": 2, "jobs_per_s": 16_000, "p50_ms": 60.0},
}
MEASURED: dict[str, Any] = {
    "machine": {"cpu": "a cpu", "versions": {"celery": "5.7.0"}},
    "sections": {"bulk": BULK},
}


def test_what_people_wrote_around_the_figures_stays(tmp_path: Path) -> None:
    report = Report(tmp_path)
    report.document.write_text(f"# Ours\n\nby hand\n\n{BEGIN}\nold figures\n{END}\n\nfindings\n")

    report.write(MEASURED)

    written = report.document.read_text()
    assert written.startswith("# Ours\n\nby hand\n\n")
    assert written.endswith("\n\nfindings\n")
    assert "old figures" not in written
    assert "16,000" in written
    assert report.known() == MEASURED["sections"]


def test_a_goal_is_met_from_its_limit_on_and_unknown_without_figures() -> None:
    goal = Goal("bulk", "bulk", lambda found: found["rate"], 10.0, 20.0, at_least=True)

    assert goal.verdict(goal.value({"bulk": {"rate": 9.9}})) is Verdict.MISSED
    assert goal.verdict(goal.value({"bulk": {"rate": 10.0}})) is Verdict.MET
    assert goal.verdict(goal.value({"bulk": {"rate": 20.0}})) is Verdict.STRETCH
    assert goal.verdict(goal.value({})) is Verdict.UNKNOWN


def test_every_goal_without_figures_is_shown_as_not_measured() -> None:
    assert {goal.verdict(goal.value({})) for goal in GOALS} == {Verdict.UNKNOWN}


@pytest.mark.parametrize(
    ("kills", "lost", "twice"), [(40, "1 | **no**", "0 | yes"), (8, " | not measured", None)]
)
def test_figures_of_a_whole_chaos_run_are_taken_over(
    tmp_path: Path, kills: int, lost: str, twice: str | None
) -> None:
    found = {"Stellwerk": {"lost": 1, "twice": 0, "kills": kills}}
    (tmp_path / "chaos.json").write_text(json.dumps(found))

    Report(tmp_path).write(MEASURED)

    document = (tmp_path / "benchmarks.md").read_text()
    rows = [line for line in document.splitlines() if "40 hard kills" in line]
    assert rows[0].endswith(f"| ≤ 0 |  | {lost} |")
    assert rows[1].endswith(f"| ≤ 0 |  | {twice or lost} |")


def test_figures_of_another_form_than_todays_are_left_out(tmp_path: Path) -> None:
    sections = {"bulk": BULK, "poll": {**BULK, "figures": {"rate": 1.0}}, "gone": BULK}
    report = Report(tmp_path)
    report.raw.write_text(json.dumps({**MEASURED, "sections": sections}))

    assert report.known() == {"bulk": BULK}
