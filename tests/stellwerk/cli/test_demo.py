"""`stellwerk demo`, whole: a stack of its own, a video through it, and nothing left behind."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from embedded import wait_until
from stack_runs import CLEAN, discard
from stellwerk.settings import environment
from stellwerk.stack.home import Home, read_json

Demo = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Starts the command on a home below `tmp_path`."""
    env = {name: value for name, value in environment().items() if name not in CLEAN}
    env["STELLWERK_HOME"] = str(tmp_path / "home")

    def start(*arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, "-m", "stellwerk.cli.main", "demo", *arguments],
            env=env,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    yield start
    discard(tmp_path / "home")


def processes_of(home: Path) -> list[psutil.Process]:
    """What stack.json names and still runs."""
    pids = [entry["pid"] for entry in read_json(Home(home).stack_file)["processes"]]
    return [psutil.Process(pid) for pid in pids if pid and psutil.pid_exists(pid)]


def test_a_german_video_comes_out_and_nothing_stays(demo: Demo, tmp_path: Path) -> None:
    process = demo("--language", "de", "--json")
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    facts = json.loads(out)
    assert [stream.split()[1] for stream in facts["streams"]] == ["h264", "aac"]
    assert 27 <= facts["duration_s"] <= 33
    assert facts["mean_volume_db"] > -40
    assert facts["cost"]["total"] == pytest.approx(
        sum(line["amount"] for line in facts["cost"]["lines"])
    )
    for name in ("video.mp4", "captions.srt", "thumbnail.jpg"):
        assert (tmp_path / "demo-output" / name).stat().st_size > 100
    assert "100 %  completed" in err
    assert processes_of(tmp_path / "home") == []


def test_ctrl_c_takes_the_platform_along(demo: Demo, tmp_path: Path) -> None:
    stack_file = Home(tmp_path / "home").stack_file
    process = demo("--language", "en")
    wait_until(
        lambda: stack_file.exists() and read_json(stack_file)["state"] == "ready", timeout_s=300
    )
    running = processes_of(tmp_path / "home")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 130
    assert running
    assert not any(found.is_running() for found in running)
