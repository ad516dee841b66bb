"""The suite's own division of work: tests that share processes stay in one test process."""

import os
import subprocess
import sys
from pathlib import Path

from stellwerk.settings import environment

SUPPORT = Path(__file__).resolve().parents[1] / "support"
CONFTEST = "from groups import pytest_collection_modifyitems\n"
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
ALONE = ("-p", "xdist", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".")


def test_a_group_of_tests_runs_in_one_test_process(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_grouped.py").write_text(TESTS)
    own = {"PYTHONPATH": str(SUPPORT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

    subprocess.run(  # noqa: S603  our own tests
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", *ALONE],
        cwd=tmp_path,
        env=environment() | own,
        check=True,
        capture_output=True,
    )

    for group in ("engine", "marked"):
        workers = (tmp_path / group).read_text().split()
        assert len(workers) == 2
        assert len(set(workers)) == 1
