"""Stacks of this folder: a home of their own, and the fewest processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stack_runs import EDGE, discard


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    yield folder
    discard(folder)


@pytest.fixture
def procfile(tmp_path: Path) -> Path:
    path = tmp_path / "Procfile"
    path.write_text(EDGE)
    return path
