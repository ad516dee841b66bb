"""The `stellwerk` command against a real front and real workers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import EMAIL, CommandLine
from engine import Engine, as_variables
from front import Front
from full_stack import PASSWORD
from stellwerk.bootstrap import Platform
from stellwerk.identity.service import create_admin


@pytest.fixture
def command_line(front_process: Front, platform: Platform, tmp_path: Path) -> CommandLine:
    """Nobody yet, on an empty ledger."""
    variables = {
        **as_variables(platform.settings),
        "STELLWERK_URL": front_process.url,
        "STELLWERK_CONFIG": str(tmp_path / "kept" / "account.json"),
        "STELLWERK_HOME": str(tmp_path / "home"),
    }
    return CommandLine(variables, tmp_path)


@pytest.fixture
def sign_up(command_line: CommandLine, platform: Platform) -> Callable[[], CommandLine]:
    """Makes the account of EMAIL, and signs in."""

    def sign_up() -> CommandLine:
        create_admin(platform.runtime.sessions, EMAIL, PASSWORD)
        command_line.done("login", "--email", EMAIL, "--password-stdin", typed=f"{PASSWORD}\n")
        return command_line

    return sign_up


@pytest.fixture
def signed_in(sign_up: Callable[[], CommandLine]) -> CommandLine:
    """Signed in; no worker runs for sure."""
    return sign_up()


@pytest.fixture
def working(engine: Engine, sign_up: Callable[[], CommandLine]) -> CommandLine:
    """Signed in, with workers that run what is submitted."""
    del engine
    return sign_up()
