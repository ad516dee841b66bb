"""What keeps a stack from starting is told in a line, with its exit code."""

import socket
import sys
from pathlib import Path

import pytest

from stack_runs import ENDED_WITHIN_S, launch
from stellwerk.stack.ports import free_port


def test_a_taken_port_is_one_clear_line_and_exit_code_4(home: Path, procfile: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        port = other.getsockname()[1]
        run = launch(home, procfile, port=port)
        assert run.process.wait(ENDED_WITHIN_S) == 4
        assert run.output.strip() == (
            f"error: Port {port} on 127.0.0.1 is taken by another program. "
            "Choose another: stellwerk up --port 0"
        )


def test_a_home_that_cannot_be_written_is_one_clear_line(tmp_path: Path, procfile: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    run = launch(file / "home", procfile)
    assert run.process.wait(ENDED_WITHIN_S) == 1
    assert "cannot be written: Not a directory. Set STELLWERK_HOME" in run.output
    assert "Traceback" not in run.output


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_home_where_no_folder_can_be_made_is_one_clear_line(procfile: Path) -> None:
    run = launch(Path("/proc/stellwerk"), procfile)
    assert run.process.wait(ENDED_WITHIN_S) == 1
    assert run.output.startswith("error: /proc/stellwerk cannot be written: ")
    assert run.output.count("\n") == 1


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (
            {"STELLWERK_MODE": "production", "STELLWERK_HOST": "0.0.0.0"},  # noqa: S104  refused
            "STELLWERK_HOST=0.0.0.0 serves plain HTTP",
        ),
        (
            {"STELLWERK_SCRIPT_PROVIDER": "openai", "OPENAI_API_KEY": ""},
            "OPENAI_API_KEY is not set",
        ),
        ({"REDIS_URL": "http://127.0.0.1:1"}, "REDIS_URL is not a URL of Redis"),
    ],
)
def test_settings_that_cannot_work_are_told_before_anything_is_written_or_started(
    home: Path, procfile: Path, extra: dict[str, str], said: str
) -> None:
    run = launch(home, procfile, extra=extra)
    assert run.process.wait(ENDED_WITHIN_S) == 1
    assert said in run.output
    assert "Traceback" not in run.output
    assert not home.exists()


def test_a_given_server_that_is_not_there_is_told_within_seconds(
    home: Path, procfile: Path
) -> None:
    run = launch(home, procfile, extra={"REDIS_URL": f"redis://:geheim@127.0.0.1:{free_port()}/0"})
    assert run.process.wait(ENDED_WITHIN_S) == 1
    assert run.output.startswith("error: REDIS_URL: Redis at 127.0.0.1:")
    assert "geheim" not in run.output


def test_a_process_that_never_comes_up_is_named_with_the_end_of_its_log(
    home: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "Procfile"
    broken.write_text("web: python -c 'raise SystemExit(\"no such table\")'\n")
    run = launch(home, broken)
    assert run.process.wait(ENDED_WITHIN_S) == 1
    assert "web does not start" in run.output
    assert "no such table" in run.output
