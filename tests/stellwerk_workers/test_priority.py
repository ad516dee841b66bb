"""Workers stand back behind processes that answer requests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine import Engine
from stellwerk.settings import Settings

NICENESS = 7


@pytest.fixture
def nice(settings: Settings, tmp_path: Path) -> Iterator[Engine]:
    made = Engine(settings.model_copy(update={"worker_niceness": NICENESS}), tmp_path)
    yield made
    made.stop()


def of_session(pid: int) -> int:
    """What Linux weighs its session by."""
    return int(Path(f"/proc/{pid}/autogroup").read_text().rpartition(" ")[2])


@pytest.mark.parametrize("role", ["short", "long"])
def test_a_worker_and_its_children_are_as_nice_as_the_settings_say(nice: Engine, role: str) -> None:
    nice.start(role)

    worker = psutil.Process(nice.processes[role].pid)

    assert {one.nice() for one in (worker, *worker.children(recursive=True))} == {NICENESS}
    if sys.platform == "linux" and Path("/proc/self/autogroup").exists():
        assert of_session(worker.pid) == NICENESS


def test_a_dispatcher_is_not(nice: Engine) -> None:
    nice.start("dispatcher")

    assert psutil.Process(nice.processes["dispatcher"].pid).nice() == psutil.Process().nice()
