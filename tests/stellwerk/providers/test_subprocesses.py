"""Child processes end when they should, whatever happens to us."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from embedded import wait_until
from stellwerk.errors import ProviderUnavailable, Stopped
from stellwerk.providers.subprocesses import run_program

PARENT = """
from stellwerk.providers.subprocesses import run_program
run_program(["sleep", "300.25"], timeout_s=300)
"""


def test_lines_are_handed_over_as_they_come() -> None:
    lines: list[str] = []
    run_program(["printf", "one\\ntwo\\nthree"], timeout_s=60, on_line=lines.append)
    assert lines == ["one", "two", "three"]


def test_what_it_says_on_standard_error_is_kept() -> None:
    assert run_program(["sh", "-c", "echo careful >&2"], timeout_s=60).stderr == "careful\n"


def test_a_failed_program_is_reported_with_its_last_words() -> None:
    with pytest.raises(ProviderUnavailable, match="sh ended with 3: no luck"):
        run_program(["sh", "-c", "echo no luck >&2; exit 3"], timeout_s=60)


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ProviderUnavailable, match="no-such-program"):
        run_program(["no-such-program"], timeout_s=60)


def test_a_program_that_takes_too_long_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable, match="time limit"):
        run_program(["sleep", "300"], timeout_s=0.3)
    assert time.monotonic() - began < 60


def test_a_program_is_ended_on_request_and_what_it_started_too(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    script = f"sleep 310 & trap '' TERM; echo $! > {pids}; wait"

    def has_begun() -> bool:
        return pids.exists() and bool(pids.read_text().strip())

    with pytest.raises(Stopped):
        run_program(["sh", "-c", script], timeout_s=120, should_stop=has_begun)
    started = int(pids.read_text())
    wait_until(lambda: not psutil.pid_exists(started))


def test_an_error_raised_while_asking_ends_the_program_too() -> None:
    sleeping = ["sleep", "300.75"]

    def lease_is_lost() -> bool:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        run_program(sleeping, timeout_s=120, should_stop=lease_is_lost)
    assert not any(is_of(sleeping, one) for one in psutil.Process().children(recursive=True))


def is_of(command: list[str], process: psutil.Process) -> bool:
    try:
        return process.cmdline() == command
    except psutil.NoSuchProcess:  # a server of other tests comes and goes
        return False


def test_a_program_that_closes_its_output_is_waited_for() -> None:
    began = time.monotonic()
    run_program(["sh", "-c", "exec >&-; sleep 0.4"], timeout_s=60)
    assert time.monotonic() - began >= 0.4


def test_keys_and_passwords_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    lines: list[str] = []
    run_program(["env"], timeout_s=60, on_line=lines.append)
    assert any(line.startswith("PATH=") for line in lines)
    assert "OPENAI_API_KEY=secret" not in lines


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_program_dies_with_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT])  # noqa: S603  fixed arguments
    try:
        family = psutil.Process(parent.pid)
        sleeping = ["sleep", "300.25"]
        wait_until(lambda: any(is_of(sleeping, one) for one in family.children()))
        child = next(one for one in family.children() if is_of(sleeping, one))
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    wait_until(lambda: not child.is_running())
