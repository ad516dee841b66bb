"""What is shown of a running job."""

import io
from typing import Any

import pytest
from rich.console import Console

from stellwerk.cli.progress import show_progress, step_time

BASE: dict[str, Any] = {
    "job_id": "01a2",
    "operation": "videos.generate",
    "message": "",
    "error": None,
    "result": None,
}


def document(status: str, percent: int, *steps: dict[str, Any]) -> dict[str, Any]:
    return {**BASE, "status": status, "progress": percent, "steps": list(steps)}


def step(name: str, status: str, start: str | None, end: str | None = None) -> dict[str, Any]:
    return {"name": name, "status": status, "started_at": start, "finished_at": end}


def test_a_steps_time_is_from_its_start_to_its_end() -> None:
    done = step("voice", "completed", "2026-11-22T10:00:00.000Z", "2026-11-22T10:00:03.250Z")
    assert step_time(done) == "3.2 s"
    assert step_time(step("render", "pending", None)) == ""
    assert step_time(step("render", "running", "2026-11-22T10:00:00.000Z")).endswith(" s")


def test_in_a_pipe_each_change_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    start = "2026-11-22T10:00:00.000Z"
    last = show_progress(
        [
            document("queued", 0),
            document("running", 5, step("voice", "running", start)),
            document("running", 6, step("voice", "running", start)),
            document("completed", 100, step("voice", "completed", start, start)),
        ]
    )
    assert last["status"] == "completed"
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.split("%")[1].strip() for line in told.err.splitlines()] == [
        "queued",
        "running voice",
        "completed",
    ]


def test_on_a_terminal_there_is_a_bar_and_a_line_per_step() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, legacy_windows=False)
    start = "2026-11-22T10:00:00.000Z"
    waiting = step("render", "pending", None)
    running = document("running", 40, step("voice", "running", start), waiting)
    failed = document("failed", 40, step("voice", "failed", start))
    failed["error"] = {"code": "JOB_FAILED", "message": "no voice"}
    show_progress([running, failed], console)
    shown = screen.getvalue()
    assert "videos.generate" in shown
    assert "40 %" in shown
    assert "render" in shown
    assert "JOB_FAILED: no voice" in shown
