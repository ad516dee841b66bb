import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from embedded import running_postgres, running_valkey
from stellwerk.errors import StackError
from stellwerk.stack.home import Home, clear_disk_errors, read_json, write_json
from stellwerk.stack.masking import masked
from stellwerk.stack.ports import choose_ports
from stellwerk.stack.postgres import postgres_answers
from stellwerk.stack.postgres_place import find_place, remove_data
from stellwerk.stack.valkey import redis_answers


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "home")
    made.prepare()
    yield made
    remove_data(made)


def test_secrets_are_made_once_and_differ_between_homes(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    other.prepare()
    assert home.secrets() == home.secrets()
    assert not set(home.secrets().values()) & set(other.secrets().values())


def test_a_full_disk_is_a_clear_line(home: Home) -> None:
    with (
        pytest.raises(StackError, match=r"The disk of .* is full\. Free some space"),
        clear_disk_errors(home.path),
        Path("/dev/full").open("w", buffering=1) as full,
    ):
        full.write("one line\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_disk_with_too_little_room_is_refused_before_anything_starts(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:  # noqa: S603  ours
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(StackError, match=r"Only (29|30) MiB free .* set STELLWERK_HOME"):
            refuse_small(Home(disk / "home"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)  # noqa: S603,S607  what was mounted


def refuse_small(home: Home) -> None:
    from stellwerk.stack.home import require_space  # noqa: PLC0415  beside its only use

    home.prepare()
    require_space(home.path)


def test_a_damaged_file_is_named(home: Home) -> None:
    home.secrets_file.write_text("{")
    with pytest.raises(StackError, match=r"secrets\.json is damaged"):
        home.secrets()


def test_a_replaced_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"a": 1})
    write_json(path, {"a": 2}, mode=0o600)
    assert read_json(path) == {"a": 2}
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_ports_are_taken_again_unless_somebody_else_has_them_now(home: Home) -> None:
    first = choose_ports(home, "127.0.0.1", 0)
    assert choose_ports(home, "127.0.0.1", 0) == first
    with socket.socket() as other:
        with suppress(OSError):  # a program of this machine was quicker: it is somebody else, too
            other.bind(("127.0.0.1", first["web"]))
            other.listen(1)
        second = choose_ports(home, "127.0.0.1", 0)
    assert second["web"] != first["web"]
    assert {**second, "web": 0} == {**first, "web": 0}


def test_reserved_ports_are_left_alone_also_where_the_last_start_had_them(home: Home) -> None:
    first = choose_ports(home, "127.0.0.1", 0)
    reserved = range(15_100, 31_000)

    ports = choose_ports(home, "127.0.0.1", 0, reserved=reserved)

    assert not set(ports.values()) & set(reserved)
    assert set(first.values()) & set(reserved)


def test_all_ports_of_a_stack_differ(home: Home) -> None:
    ports = choose_ports(home, "127.0.0.1", 0)
    assert len(set(ports.values())) == len(ports) == 9


def test_data_that_is_gone_is_not_silently_begun_anew(home: Home) -> None:
    write_json(home.path / "postgres.json", {"folder": "/nowhere/data"})
    with pytest.raises(StackError, match=r"was in /nowhere/data, which is gone"):
        find_place(home)
    (home.path / "postgres.json").unlink()


def test_a_password_is_not_shown() -> None:
    assert masked("redis://:secret@127.0.0.1:1/0") == "redis://:***@127.0.0.1:1/0"
    assert masked("postgresql://me:secret@db/x") == "postgresql://me:***@db/x"
    assert masked("redis://db/0") == "redis://db/0"


def test_servers_for_tests_answer_and_leave_nothing_behind(tmp_path: Path) -> None:
    with running_postgres(tmp_path / "pg") as database_url, running_valkey(tmp_path / "kv") as url:
        assert postgres_answers(database_url)
        assert redis_answers(url)
    assert not postgres_answers(database_url)
    assert not redis_answers(url)


def test_a_wrong_password_is_told_at_once(tmp_path: Path) -> None:
    with running_postgres(tmp_path / "pg") as url:
        wrong = url.replace("stellwerk:", "stellwerk:x", 1)
        with pytest.raises(StackError, match="refuses the password"):
            postgres_answers(wrong)
