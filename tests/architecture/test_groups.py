"""The suite's own division of work: tests that share processes stay in one test process."""

import os
import subprocess
import sys
from pathlib import Path

from stellwerk.settings import environment

SUPPORT = Path(__file__).resolve().parents[1] / "support"
CONFTEST = "from groups import pytest_collection_modifyitems, pytest_runtest_teardown\n"
TESTS = """\
import os

import pytest


@pytest.fixture
def engine_processes():
    pass


def note(group):
    with open(group, "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + os.linesep)


@pytest.mark.parametrize("number", range(2))
def test_sharing(number, engine_processes):
    note("engine")


@pytest.mark.xdist_group("marked")
@pytest.mark.parametrize("number", range(2))
def test_marked(number):
    note("marked")
"""
LATER = """\
import signal
import subprocess

import pytest

from full_stack import RUNNING
from stack_runs import StackRun


@pytest.mark.xdist_group("stack")
def test_that_leaves_a_stack():
    RUNNING.append(StackRun(subprocess.Popen(["sleep", "600"]), None, None))


def test_of_something_else():
    assert RUNNING[0].process.returncode == -signal.SIGTERM
"""
ALONE = ("-p", "xdist", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".")


def test_a_group_of_tests_runs_in_one_test_process(tmp_path: Path) -> None:
    run(tmp_path, TESTS, processes=2)

    for group in ("engine", "marked"):
        workers = (tmp_path / group).read_text().split()
        assert len(workers) == 2
        assert len(set(workers)) == 1


def test_a_stack_ends_with_the_group_that_needs_it(tmp_path: Path) -> None:
    assert "2 passed" in run(tmp_path, LATER, processes=1)


def run(folder: Path, tests: str, *, processes: int) -> str:
    """Run tests as the suite does; they have to pass."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_grouped.py").write_text(tests)
    own = {
        "PYTHONPATH": str(SUPPORT),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",  # whoever runs the suite may ask for a plugin that is not there
    }
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(processes), "--dist", "loadgroup"]
    return subprocess.run(  # noqa: S603  our own tests
        [*command, *ALONE],
        cwd=folder,
        env=environment() | own,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
