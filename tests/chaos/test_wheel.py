"""The wheel, installed alone, brings the whole platform up outside the repository."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from full_stack import client_of, full_stack

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".stellwerk*", "*.egg-info", "__pycache__", "node_modules", "build", ".*_cache"
)

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


def run(*command: object) -> None:
    subprocess.run(list(map(str, command)), check=True, capture_output=True)  # noqa: S603  our own build


def test_the_wheel_installed_alone_carries_out_a_job(tmp_path: Path) -> None:
    source, dist, installed = (tmp_path / name for name in ("source", "dist", "venv"))
    shutil.copytree(ROOT, source, ignore=LEFT_OUT)
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", dist, source)
    venv.create(installed)
    pip = (sys.executable, "-m", "pip", "--python", installed, "install", "-q")
    wheels = ("--only-binary", ":all:", "-c", ROOT / "constraints.txt")
    run(*pip, "--no-compile", *wheels, next(dist.glob("*.whl")))
    outside = tmp_path / "outside"
    outside.mkdir()

    with full_stack(outside, str(installed / "bin" / "python")) as stack:
        client = client_of(stack)
        job = client.ended(client.submit("diagnostics.echo", {"message": "from the wheel"}))

    assert job["result"]["message"] == "from the wheel"
