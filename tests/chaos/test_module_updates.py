"""A module's whole life on a stack, through the HTTP API alone: its page never fails."""

from pathlib import Path

import pytest

from full_stack import Client
from module_story import Story, install_samples, tell
from stack_runs import StackRun

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("stack"), pytest.mark.timeout(240)]


def test_a_module_serves_every_request_through_failed_and_good_updates(
    run: StackRun, operator: Client, tmp_path: Path
) -> None:
    visitor = tell(Story(run, operator, tmp_path / "pulses"))
    assert visitor.answers > 50


def test_the_samples_are_installed_with_what_they_need(
    run: StackRun, operator: Client, tmp_path: Path
) -> None:
    install_samples(Story(run, operator, tmp_path / "pulses"))
