"""Signing in and out with the command line."""

import json
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from sqlalchemy import func, select, update

from command_line import EMAIL, CommandLine
from embedded import wait_until
from full_stack import PASSWORD
from stellwerk.bootstrap import Platform
from stellwerk.clock import utc_now
from stellwerk.identity.model import RefreshToken, UserSession
from stellwerk.identity.tokens import Tokens
from stellwerk.settings import environment


def account_file(command_line: CommandLine) -> Path:
    return Path(command_line.variables["STELLWERK_CONFIG"])


def test_the_kept_token_can_be_read_by_its_owner_alone(signed_in: CommandLine) -> None:
    path = account_file(signed_in)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["email"] == EMAIL
    assert signed_in.json("jobs") == []


def test_a_wrong_password_is_refused_with_the_apis_code(signed_in: CommandLine) -> None:
    ran = signed_in.run_anew(
        "login", "--email", EMAIL, "--password-stdin", typed="not the password\n"
    )
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
    signed_in.done("logout", anew=True)
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


def test_a_new_installation_is_told_how_to_make_its_first_admin(command_line: CommandLine) -> None:
    assert "stellwerk admin create" in command_line.run_anew("admin", "list").err
    arguments = ("admin", "create", "--email", EMAIL, "--password-stdin")
    assert command_line.run(*arguments, typed=PASSWORD).code == 0
    (made,) = command_line.json("admin", "list")
    assert (made["email"], made["role"], made["is_active"]) == (EMAIL, "admin", True)


def test_a_second_admin_of_the_same_address_is_refused_unless_promoted(
    command_line: CommandLine,
) -> None:
    arguments = ("admin", "create", "--email", EMAIL, "--password-stdin")
    assert command_line.run(*arguments, typed=PASSWORD).code == 0
    assert command_line.run(*arguments, typed=PASSWORD).code == 1
    assert command_line.run(*arguments, "--promote", typed=PASSWORD).code == 0


def make_old(command_line: CommandLine, platform: Platform) -> str:
    """Let the kept access token end; returns it."""
    path = account_file(command_line)
    kept = json.loads(path.read_text())
    tokens = Tokens(platform.settings.signing_key())
    claims = tokens.verify(kept["token"])
    moment = utc_now() - timedelta(seconds=1)
    kept["token"] = tokens.sign(claims.user_id, claims.session_id, moment)
    path.write_text(json.dumps(kept))
    return str(kept["token"])


def test_a_token_that_is_over_is_renewed_and_kept(
    signed_in: CommandLine, platform: Platform
) -> None:
    for _ in range(2):
        before = json.loads(account_file(signed_in).read_text())
        old = make_old(signed_in, platform)
        assert signed_in.json("jobs") == []
        after = json.loads(account_file(signed_in).read_text())
        assert after["token"] != old
        assert after["refresh_token"] != before["refresh_token"]
        assert stat.S_IMODE(account_file(signed_in).stat().st_mode) == 0o600


def test_commands_at_once_renew_it_once(signed_in: CommandLine, platform: Platform) -> None:
    make_old(signed_in, platform)
    processes = [signed_in.start("jobs", "--json") for _ in range(4)]
    for process in processes:
        out, err = process.communicate(timeout=240)
        assert (process.returncode, out.strip()) == (0, "[]"), err
    with platform.runtime.sessions() as session:
        assert session.scalar(select(func.count()).select_from(RefreshToken)) == 2


def test_where_the_session_has_ended_one_is_told_to_sign_in(
    signed_in: CommandLine, platform: Platform
) -> None:
    make_old(signed_in, platform)
    with platform.runtime.sessions.begin() as session:
        session.execute(update(UserSession).values(ended_at=func.now()))
    ran = signed_in.run("jobs")
    assert ran.code == 4
    assert "stellwerk login" in ran.err


def test_signing_out_with_a_token_that_is_over_ends_the_session(
    signed_in: CommandLine, platform: Platform
) -> None:
    make_old(signed_in, platform)
    assert signed_in.json("logout")["session_ended"] is True
    assert not account_file(signed_in).exists()


def test_another_key_signs_and_nobody_is_signed_out(signed_in: CommandLine) -> None:
    first, second = signed_in.json("keys", "rotate")
    assert first["good_until"]
    assert second["good_until"] is None
    assert signed_in.json("jobs") == []
    before = json.loads(account_file(signed_in).read_text())["token"]
    signed_in.done("login", "--email", EMAIL, "--password-stdin", typed=f"{PASSWORD}\n")
    after = json.loads(account_file(signed_in).read_text())["token"]
    assert jwt.get_unverified_header(before)["kid"] == first["kid"]
    wait_until(lambda: kid_of_a_login(signed_in) == second["kid"])
    assert signed_in.run("jobs", STELLWERK_TOKEN=before).code == 0
    assert signed_in.run("jobs", STELLWERK_TOKEN=after).code == 0


def kid_of_a_login(command_line: CommandLine) -> str:
    command_line.done("login", "--email", EMAIL, "--password-stdin", typed=f"{PASSWORD}\n")
    token = json.loads(account_file(command_line).read_text())["token"]
    return str(jwt.get_unverified_header(token)["kid"])
