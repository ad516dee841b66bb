from benchmarks.sections import generations

POLLS = {"count": 1490, "p50_ms": 3.0, "p95_ms": 9.0, "failed": {"poll 503": 4}, "not_sent": 6}
FIGURES = {
    "accepted": 100,
    "submit": {"p95_ms": 90.0},
    "polls": POLLS,
    "seconds": 15.0,
    "states": {"running": 1, "queued": 95, "completed": 1, "failed": 2, "cancelled": 1},
    "ended": {"cancelled": 100},
}


def test_a_generation_that_ended_otherwise_than_well_counts_against_the_goal() -> None:
    assert generations.lost(FIGURES) == 3
    assert generations.lost({"states": {"queued": 98, "running": 1, "completed": 1}}) == 0


def test_generations_of_which_none_is_completed_do_not_count_as_going_on() -> None:
    assert generations.lost({"states": {"queued": 99, "running": 1}}) == 100


def test_states_and_polls_are_shown_as_they_were() -> None:
    shown = "\n".join(generations.lines(FIGURES))

    assert "| 1 cancelled, 1 completed, 2 failed, 95 queued, 1 running |" in shown
    assert "| polls refused or not sent, of 1,500 | 10 |" in shown
