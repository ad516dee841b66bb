import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import wait_until
from raw_switch import connected
from stack_runs import ENDED_WITHIN_S, StackRun, all_gone, lasting_stack
from stellwerk.settings import environment
from stellwerk.stack.home import read_json

in_one_go = pytest.mark.xdist_group("stack commands")  # else there were several stacks


@pytest.fixture
def run(tmp_path: Path) -> Iterator[StackRun]:
    with lasting_stack(tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackRun]:
    """One for several tests, each of which leaves it running."""
    with lasting_stack(tmp_path_factory.mktemp("standing")) as started:
        yield started


def command(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "stellwerk.cli.main", *args],
        env={**environment(), "STELLWERK_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@in_one_go
def test_status_shows_urls_and_processes(standing: StackRun) -> None:
    answer = command(standing.home.path, "status", "--json")
    assert answer.returncode == 0
    assert json.loads(answer.stdout) == standing.document()
    table = command(standing.home.path, "status").stdout
    assert f"valkey        {standing.pid_of('valkey')}" in table
    assert standing.document()["urls"]["docs"] in table


@in_one_go
def test_the_simulator_of_a_switch_is_named_as_one(standing: StackRun) -> None:
    port = read_json(standing.home.ports_file)["switch"]
    table = command(standing.home.path, "status").stdout
    assert f"switch    127.0.0.1:{port} (simulator: it calls nobody)" in table
    assert f"switch        {standing.pid_of('switch')}" in table
    found = json.loads(command(standing.home.path, "doctor", "--json").stdout)
    finding = next(one for one in found if one["name"] == "switch")
    assert finding["grade"] == "ok"
    assert finding["message"] == f"simulator, calls nobody, at 127.0.0.1:{port}"


@in_one_go
def test_the_simulator_is_started_again_and_lets_in_who_knows_the_password(
    standing: StackRun,
) -> None:
    port = read_json(standing.home.ports_file)["switch"]
    pid = standing.pid_of("switch")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: standing.pid_of("switch") not in {None, pid} and takes_connections(port))

    async def scene() -> str:
        async with connected(port, standing.home.secrets()["esl_password"]) as client:
            return await client.answer("api version")

    assert "simulator" in asyncio.run(scene())


def takes_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except OSError:
        return False
    return True


def test_down_ends_the_stack_and_waits_for_it(run: StackRun) -> None:
    processes = run.tree()
    answer = command(run.home.path, "down")
    assert (answer.returncode, answer.stdout) == (0, "Stellwerk is down.\n")
    assert run.process.wait(ENDED_WITHIN_S) == 0
    wait_until(lambda: all_gone(processes))


def test_down_says_so_as_json(run: StackRun) -> None:
    answer = command(run.home.path, "down", "--json")
    assert json.loads(answer.stdout) == {"home": str(run.home.path), "state": "down"}


@pytest.mark.parametrize("name", ["status", "down"])
def test_without_a_stack_commands_say_so_and_leave_with_3(tmp_path: Path, name: str) -> None:
    answer = command(tmp_path, name)
    assert answer.returncode == 3
    assert answer.stderr == f"error: Nothing runs in {tmp_path}. Start it with `stellwerk up`.\n"


def test_stack_json_of_a_killed_stack_does_not_pass_for_a_running_one(run: StackRun) -> None:
    processes = run.tree()
    run.end(signal.SIGKILL)
    answer = command(run.home.path, "down")
    assert answer.returncode in {0, 3}  # 0: its guard was still cleaning up
    assert command(run.home.path, "status").returncode == 3
    wait_until(lambda: all_gone(processes))


@in_one_go
def test_doctor_names_what_is_broken_and_how_to_mend_it(standing: StackRun) -> None:
    answer = command(standing.home.path, "doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(answer.stdout)}
    assert findings["postgres"]["grade"] == "ok"
    assert findings["postgres logs"]["grade"] == "ok"
    assert findings["redis persistence"]["message"] == "append-only file is on"
    assert findings["redis eviction"]["message"] == "noeviction"
    assert findings["schema"]["grade"] == "broken"
    assert findings["schema"]["remedy"] == "stellwerk db upgrade"
    assert findings["queue media"]["message"] == "no worker"
    assert answer.returncode == 1


def test_doctor_is_content_with_a_machine_where_nothing_runs_yet(tmp_path: Path) -> None:
    answer = command(tmp_path / "home", "doctor")
    assert answer.returncode == 0, answer.stdout
    assert "Start it: stellwerk up" in answer.stdout


def test_help_lists_the_commands_and_imports_none_of_them() -> None:
    code = (
        "import sys; sys.argv = ['stellwerk', '--help']\n"
        "from stellwerk.cli.main import main\n"
        "try:\n    main()\n"
        "finally:\n    print([n for n in sys.modules if n.startswith('stellwerk.stack')])\n"
    )
    answer = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "doctor" in answer.stdout
    assert "  130  ended by Ctrl-C\n" in answer.stdout
    assert answer.stdout.endswith("[]\n")


def test_a_mistyped_setting_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "stellwerk.cli.main", "status"],
        env={**environment(), "STELLWERK_HOEM": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert answer.stderr == (
        "error: STELLWERK_HOEM is not a setting of Stellwerk. Did you mean STELLWERK_HOME?\n"
    )
