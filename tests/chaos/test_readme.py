"""What README shows works when it is pasted."""

import re
import subprocess
from pathlib import Path

import pytest

from stack_runs import StackRun

README = Path(__file__).resolve().parents[2] / "README.md"

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("stack"), pytest.mark.timeout(240)]


def examples() -> str:
    """The shell blocks that the README says are run here."""
    marked = README.read_text().partition("tests/chaos/test_readme.py -->")[2]
    found = re.search(r"```sh\n(.*?)```", marked, re.DOTALL)
    assert found
    return found[1]


def test_the_curl_examples_work_when_pasted(run: StackRun, tmp_path: Path) -> None:
    script = examples().replace(
        "http://localhost:8000", run.document()["urls"]["api"].removesuffix("/api/v1")
    )
    ran = subprocess.run(  # noqa: S603  our own README
        ["/bin/sh", "-e", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert '"status":"completed"' in ran.stdout
    assert "event: end" in ran.stdout
    assert '"message":"hello"' in ran.stdout
    assert '"hangup_cause":"NORMAL_CLEARING"' in ran.stdout
    assert (tmp_path / "signal-boxes.mp4").read_bytes()[4:8] == b"ftyp"
