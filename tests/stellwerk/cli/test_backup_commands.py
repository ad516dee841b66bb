"""Backing up and restoring from the command line."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from command_line import CommandLine
from embedded import fresh_database
from engine import as_variables
from people import add_user
from stellwerk.bootstrap import Platform


@pytest.fixture
def empty_url(postgres_server: str) -> Iterator[str]:
    with fresh_database(postgres_server) as url:
        yield url


def test_a_backup_is_written_and_put_back(
    platform: Platform, empty_url: str, tmp_path: Path
) -> None:
    add_user(platform)
    command_line = CommandLine(as_variables(platform.settings), tmp_path)
    file = str(tmp_path / "platform.backup")
    made = command_line.json("backup", file)
    assert (made["tables"]["users"]["rows"], made["has_artifacts"]) == (1, True)
    assert command_line.run_anew("backup", file).code == 1

    target = {"STELLWERK_DATABASE_URL": empty_url, "STELLWERK_HOME": str(tmp_path / "home")}
    ran = command_line.run("restore", file, **target)
    assert (ran.code, "are back" in ran.err) == (0, True), ran
    with psycopg2.connect(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT action, actor_kind FROM audit_entries ORDER BY sequence")
        assert cursor.fetchall() == [("backup.restored", "command_line")]
    connection.close()
    again = command_line.run("restore", file, **target)
    assert (again.code, "--force" in again.err) == (1, True), again
    assert command_line.run("restore", file, "--force", **target).code == 0
