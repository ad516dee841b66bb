"""Thousands of WebSockets in one process, measured by benchmarks/websockets.py."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from stellwerk.settings import environment

SCRIPT = Path(__file__).resolve().parents[1] / "websockets.py"
WITHIN_S = 600.0  # signing 10,000 clients in takes most of it


def measure(stage: Stage, sizes: Sizes) -> dict[str, Any]:  # noqa: ARG001  as every section
    """Memory and the time until everybody has an event, beside a bare broadcaster's."""
    run = subprocess.run(  # noqa: S603  our own module
        [sys.executable, "-m", "benchmarks.websockets", "--clients", str(sizes.sockets)],
        cwd=SCRIPT.parents[1],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    if run.returncode:
        raise RuntimeError(f"{SCRIPT.name} failed:\n{run.stderr[-2000:]}")
    return dict(json.loads(run.stdout.strip().splitlines()[-1]))


def lines(figures: Mapping[str, Any]) -> list[str]:
    """One table, with whatever was measured."""
    return [
        "| WebSockets | |",
        "| --- | ---: |",
        *(f"| {name.replace('_', ' ')} | {value} |" for name, value in figures.items()),
    ]
