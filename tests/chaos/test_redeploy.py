"""Processes of a running stack are started again by command."""

import psutil
import pytest

from command_line import CommandLine
from stack_runs import StackRun

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("stack"), pytest.mark.timeout(240)]

CLIENTS = 4
EVERY_S = 0.04  # of one client: a hundred requests a second in all
AFTER_S = 2.0
ECHO = {"operation": "diagnostics.echo", "payload": {"message": "again"}}


def web_workers(run: StackRun) -> set[int]:
    pid = run.pid_of("web")
    assert pid
    return {process.pid for process in psutil.Process(pid).children()}


def test_the_workers_of_web_are_replaced_below_the_same_process(run: StackRun) -> None:
    main, former = run.pid_of("web"), web_workers(run)
    command = CommandLine({"STELLWERK_HOME": str(run.home.path)}, run.home.path)
    assert "web runs again" in command.done("restart", "web")
    assert not web_workers(run) & former
    assert run.pid_of("web") == main


def test_another_process_comes_back_as_a_new_one(run: StackRun) -> None:
    former = run.pid_of("dispatcher")
    command = CommandLine({"STELLWERK_HOME": str(run.home.path)}, run.home.path)
    command.done("restart", "dispatcher")
    assert run.pid_of("dispatcher") not in {None, former}


def test_a_process_that_does_not_exist_is_told(run: StackRun) -> None:
    command = CommandLine({"STELLWERK_HOME": str(run.home.path)}, run.home.path)
    ran = command.run("restart", "switchboard")
    assert ran.code == 1
    assert "There is no process switchboard; there are beat, dispatcher, edge" in ran.err
