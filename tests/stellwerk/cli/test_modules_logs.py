"""How lines of modules are shown."""

import pytest

from stellwerk.cli.modules_logs import shown


@pytest.mark.parametrize(
    ("written", "arrives"),
    [
        ("GET /\t200 Straße 🚂", "GET /\t200 Straße 🚂"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("safe\rforged\b", r"safe\rforged\x08"),
        ("\u202etxt.exe", r"\u202etxt.exe"),
        ("half \ud83d", r"half \ud83d"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(written: str, arrives: str) -> None:
    assert shown(written) == arrives
