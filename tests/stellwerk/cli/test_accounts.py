"""Signing in and out with the command line."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import EMAIL, CommandLine
from full_stack import PASSWORD
from stellwerk.settings import environment


def account_file(command_line: CommandLine) -> Path:
    return Path(command_line.variables["STELLWERK_CONFIG"])


def test_the_kept_token_can_be_read_by_its_owner_alone(signed_in: CommandLine) -> None:
    path = account_file(signed_in)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["email"] == EMAIL
    assert signed_in.json("jobs") == []


def test_a_wrong_password_is_refused_with_the_apis_code(signed_in: CommandLine) -> None:
    ran = signed_in.run("login", "--email", EMAIL, "--password-stdin", typed="not the password\n")
    assert ran.code == 4
    assert "INVALID_CREDENTIALS" in ran.err
    assert ran.out == ""


def test_without_an_account_one_is_told_to_sign_in(command_line: CommandLine) -> None:
    ran = command_line.run("jobs")
    assert ran.code == 4
    assert "NOT_AUTHENTICATED" in ran.err
    assert "stellwerk login" in ran.err


def test_a_kept_token_is_not_sent_to_another_url(signed_in: CommandLine) -> None:
    same_by_another_name = signed_in.variables["STELLWERK_URL"].replace("127.0.0.1", "localhost")
    ran = signed_in.run("jobs", STELLWERK_URL=same_by_another_name)
    assert ran.code in {4, 5}
    assert signed_in.run("jobs").code == 0


def test_a_token_from_the_environment_wins(signed_in: CommandLine) -> None:
    ran = signed_in.run("jobs", STELLWERK_TOKEN="swk_nobodys")
    assert ran.code == 4
    assert "NOT_AUTHENTICATED" in ran.err


def test_signing_out_ends_the_session_and_forgets_the_token(signed_in: CommandLine) -> None:
    token = json.loads(account_file(signed_in).read_text())["token"]
    signed_in.done("logout")
    assert not account_file(signed_in).exists()
    assert signed_in.run("jobs", STELLWERK_TOKEN=token).code == 4


def test_signing_out_says_as_json_whether_a_session_has_ended(signed_in: CommandLine) -> None:
    url = signed_in.variables["STELLWERK_URL"]
    assert signed_in.json("logout") == {"url": url, "session_ended": True}
    assert signed_in.json("logout") == {"url": url, "session_ended": False}


@pytest.mark.parametrize("options", [(), ("--email", EMAIL)], ids=["nothing", "an address"])
def test_without_a_terminal_one_is_told_how_to_give_a_password(
    command_line: CommandLine, options: tuple[str, ...]
) -> None:
    ran = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "stellwerk.cli.main", "login", *options],
        env=environment() | command_line.variables,
        input="secret\n",
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # without the terminal that the tests may have
    )
    assert ran.returncode == 2
    assert "--password-stdin" in ran.stderr
    assert "Warning" not in ran.stderr


def test_where_nothing_answers_the_exit_code_is_5_and_says_what_to_do(
    command_line: CommandLine,
) -> None:
    ran = command_line.run("operations", STELLWERK_URL="http://127.0.0.1:9")
    assert ran.code == 5
    assert "stellwerk up" in ran.err
    assert "Traceback" not in ran.err


def test_a_second_admin_of_the_same_address_is_refused_unless_promoted(
    command_line: CommandLine,
) -> None:
    arguments = ("admin", "create", "--email", EMAIL, "--password-stdin")
    assert command_line.run(*arguments, typed=PASSWORD).code == 0
    assert command_line.run(*arguments, typed=PASSWORD).code == 1
    assert command_line.run(*arguments, "--promote", typed=PASSWORD).code == 0
