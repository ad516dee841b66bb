"""Accounts administered with the command line."""

import json

import pytest

from command_line import EMAIL, CommandLine
from people import add_user
from stellwerk.bootstrap import Platform

ADA = "ada@example.com"


@pytest.fixture
def ada(platform: Platform, signed_in: CommandLine) -> int:
    del signed_in  # it empties the ledger first
    return add_user(platform, email=ADA)


@pytest.mark.usefixtures("ada")
def test_accounts_are_listed_and_shown(signed_in: CommandLine) -> None:
    assert [user["email"] for user in signed_in.json("users", "list")] == [ADA, EMAIL]
    admins = json.loads(signed_in.done("users", "list", "--role", "admin", "--json"))
    assert [user["email"] for user in admins] == [EMAIL]
    assert ADA in signed_in.done("users", "list", "--active")
    assert json.loads(signed_in.done("users", "show", ADA.upper()))["email"] == ADA


def test_somebody_is_disabled_enabled_and_promoted(signed_in: CommandLine, ada: int) -> None:
    assert signed_in.json("users", "disable", ADA)["is_active"] is False
    assert signed_in.json("users", "enable", str(ada))["is_active"] is True
    assert signed_in.json("users", "set-role", ADA, "operator")["role"] == "operator"


def test_nobody_is_named_and_the_last_administrator_stays(signed_in: CommandLine) -> None:
    ran = signed_in.run_anew("users", "disable", "nobody@example.com")
    assert (ran.code, "NOT_FOUND" in ran.err) == (4, True)
    ran = signed_in.run("users", "disable", EMAIL)
    assert (ran.code, "LAST_ADMIN" in ran.err) == (4, True)
