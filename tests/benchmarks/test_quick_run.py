import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.stage import WORK
from stellwerk.settings import environment

ROOT = Path(__file__).resolve().parents[2]


def test_a_quick_run_measures_writes_its_files_and_leaves_nothing_behind(tmp_path: Path) -> None:
    homes, servers = _homes(), _servers()
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "poll"]

    run = subprocess.run(  # noqa: S603  our own command
        [*command, "--output", str(tmp_path)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert run.returncode == 0, run.stderr[-4000:]
    measured = json.loads((tmp_path / "benchmarks.json").read_text())
    figures = measured["sections"]["poll"]["figures"]
    assert figures["ours_per_s"] > 0
    assert figures["ratio"] == pytest.approx(
        figures["ours_per_s"] / figures["theirs_per_s"], abs=0.01
    )
    assert measured["machine"]["cores"] == psutil.cpu_count()
    document = (tmp_path / "benchmarks.md").read_text()
    assert "GET /jobs/{id}" in document
    assert "no figure here means anything" in document
    assert (tmp_path / "images" / "benchmarks.svg").read_text().startswith("<?xml")
    assert _homes() == homes
    assert _servers() == servers


def _homes() -> set[Path]:
    return set(WORK.glob("*")) if WORK.exists() else set()


def _servers() -> set[int]:
    """Processes with a benchmark's home in their command line."""
    found = set()
    for process in psutil.process_iter():
        try:
            if str(WORK) in " ".join(process.cmdline()):
                found.add(process.pid)
        except psutil.Error:  # gone meanwhile, or somebody else's
            continue
    return found
