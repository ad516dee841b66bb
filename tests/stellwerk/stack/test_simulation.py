"""Where calls go to a simulator, and where they never do."""

from pathlib import Path

import pytest

from stellwerk.settings import load_settings
from stellwerk.stack.home import Home
from stellwerk.stack.plan import fill, make_plan
from stellwerk.stack.ports import INNER
from stellwerk.stack.simulation import is_simulated


def test_in_development_calls_go_to_a_simulator_with_a_password_of_its_own(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    plan = make_plan(load_settings(home=tmp_path), home)
    assert plan.has_simulator
    assert (plan.filled.esl_host, plan.filled.esl_port) == ("127.0.0.1", plan.ports["switch"])
    assert plan.filled.esl_password.get_secret_value() == home.secrets()["esl_password"]
    assert plan.filled.call_recordings_dir == tmp_path / "switch" / "recordings"


@pytest.mark.parametrize(
    "given",
    [
        {"mode": "production"},
        {"esl_host": "switch.example", "esl_password": "ours"},
        {"call_provider": "telnyx"},
    ],
    ids=["production", "a switch is given", "another provider"],
)
def test_elsewhere_nothing_is_simulated(tmp_path: Path, given: dict[str, str]) -> None:
    settings = load_settings(**given)
    home = Home(tmp_path)
    ports = dict.fromkeys(("edge", "modules", *INNER), 1)
    assert not is_simulated(settings)
    filled = fill(settings, home, ports)
    assert (filled.esl_host, filled.esl_password) == (settings.esl_host, settings.esl_password)
