"""`stellwerk config`."""

from collections.abc import Iterator

import pytest

from command_line import CommandLine


@pytest.fixture
def config(signed_in: CommandLine) -> Iterator[CommandLine]:
    """The front outlives the test: it gets its defaults back."""
    yield signed_in
    for name in ("maintenance.message", "rates.youtube"):
        signed_in.done("config", "reset", name)


def test_entries_are_listed_set_and_reset(config: CommandLine) -> None:
    assert "rates.login" in config.done("config")
    listed = {entry["name"]: entry for entry in config.json("config", "list")}
    assert listed["maintenance.message"]["version"] == 0

    config.done("config", "set", "maintenance.message", "Back at noon.")
    by_tier = '{"free": "1/h", "pro": "2/h", "enterprise": "3/h"}'
    (changed,) = config.json("config", "set", "rates.youtube", by_tier)
    assert changed["value"]["pro"] == "2/h"
    refused = config.run("config", "set", "rates.youtube", by_tier, "--version", "1")
    assert refused.code == 4
    assert "CONFIGURATION_CHANGED" in refused.err
    assert "values.rates.youtube" in config.run_anew("config", "set", "rates.youtube", "1/h").err

    (reset,) = config.json("config", "reset", "maintenance.message")
    assert reset["value"] == reset["default"]
    history = config.json("config", "history", "maintenance.message")
    assert [entry["value"] for entry in history] == [None, "Back at noon."]
    assert '"history"' in config.done("config", "get", "maintenance.message")
