import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from embedded import wait_until
from stellwerk.settings import environment
from stellwerk.stack.process import Child, Program, restart_delay_s


def child_of(folder: Path, code: str) -> Child:
    argv = (sys.executable, "-c", code)
    program = Program(name="worker_short", role="worker", argv=argv, env=environment())
    return Child(program, run=f"run-{folder.name}", log=folder / "log")


@pytest.mark.parametrize(
    ("quick_ends", "delay_s"), [(0, 0.5), (1, 0.5), (2, 1.0), (3, 2.0), (6, 15.0), (500, 15.0)]
)
def test_each_quick_end_doubles_the_delay_up_to_15_seconds(quick_ends: int, delay_s: float) -> None:
    assert restart_delay_s(quick_ends) == delay_s


def test_a_process_that_ends_says_how_and_waits_longer_each_time(tmp_path: Path) -> None:
    child = child_of(tmp_path, "raise SystemExit(7)")
    said: list[str] = []
    child.start()
    for _ in range(2):
        wait_until(lambda: said.append(how) if (how := child.ended()) else child.pid is None)
        wait_until(child.due)
        child.restart()
    wait_until(lambda: said.append(how) if (how := child.ended()) else child.pid is None)
    assert said == [
        f"ended with exit code 7; starting again in {delay} s" for delay in ("0.5", "1", "2")
    ]
    assert child.document()["restarts"] == 2


def test_what_a_killed_process_left_in_another_session_is_killed_too(tmp_path: Path) -> None:
    beget = "import subprocess as s; p = s.Popen(['sleep', '600'], start_new_session=True)"
    child = child_of(tmp_path, f"{beget}; print(p.pid, flush=True); p.wait()")
    pid = child.start()
    wait_until(lambda: child.log.read_text().strip())
    orphan = psutil.Process(int(child.log.read_text()))
    os.kill(pid, signal.SIGKILL)
    wait_until(child.ended)
    wait_until(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE)
    child.kill()


def test_a_program_that_is_missing_leaves_its_reason_in_the_log(tmp_path: Path) -> None:
    program = Program(name="edge", role="edge", argv=("no-such-program",), env=environment())
    child = Child(program, run="run", log=tmp_path / "log")
    child.start()
    wait_until(child.ended)
    assert "cannot start no-such-program: No such file or directory" in child.log.read_text()


def test_a_process_told_to_end_is_not_started_again(tmp_path: Path) -> None:
    child = child_of(tmp_path, "import time; time.sleep(600)")
    child.start()
    child.ask_to_end()
    wait_until(lambda: child.ended() == "was ended by SIGTERM")
    assert not child.due()
