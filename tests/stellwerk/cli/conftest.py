"""The `stellwerk` command against a real front and real workers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from command_line import EMAIL, CommandLine
from engine import Engine, as_variables
from front import Front, running_front
from full_stack import PASSWORD
from stellwerk.bootstrap import Platform
from stellwerk.settings import Settings


@pytest.fixture(scope="session")
def cli_front(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Edge, web and realtime; they stay up for the whole test process."""
    with running_front(settings, tmp_path_factory.mktemp("cli-front")) as front:
        yield front


@pytest.fixture
def command_line(cli_front: Front, platform: Platform, tmp_path: Path) -> CommandLine:
    """Nobody yet, on an empty ledger."""
    variables = {
        **as_variables(platform.settings),
        "STELLWERK_URL": cli_front.url,
        "STELLWERK_CONFIG": str(tmp_path / "kept" / "account.json"),
        "STELLWERK_HOME": str(tmp_path / "home"),
    }
    return CommandLine(variables, tmp_path)


@pytest.fixture
def sign_up(command_line: CommandLine) -> Callable[[], CommandLine]:
    """Makes the account of EMAIL, and signs in."""

    def sign_up() -> CommandLine:
        command_line.done("admin", "create", "--email", EMAIL, "--password-stdin", typed=PASSWORD)
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
