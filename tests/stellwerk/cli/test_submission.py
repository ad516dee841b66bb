"""How `stellwerk submit` reads a payload."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stellwerk.cli.main import stellwerk
from stellwerk.cli.submission import read_payload


def test_values_are_json_where_they_are_json_and_text_elsewhere() -> None:
    given = ("seconds=2.5", "steps=3", "name=Basel SBB", "on=true", 'list=["a"]', 'quoted="7"')
    assert read_payload(None, given) == {
        "seconds": 2.5,
        "steps": 3,
        "name": "Basel SBB",
        "on": True,
        "list": ["a"],
        "quoted": "7",
    }


def test_dots_reach_into_objects_and_later_values_win() -> None:
    given = ("data.track.number=4", "data.track.number=5", "data.open=false")
    payload = read_payload('{"data": {"kept": 1}, "message": "hello"}', given)
    assert payload == {
        "data": {"kept": 1, "track": {"number": 5}, "open": False},
        "message": "hello",
    }


def test_a_payload_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "payload.json").write_text('{"message": "grüezi"}', encoding="utf-8")
    assert read_payload(f"@{tmp_path}/payload.json", ()) == {"message": "grüezi"}


@pytest.mark.parametrize(
    ("source", "assignments", "complaint"),
    [
        ("{", (), "not valid JSON"),
        ("[1]", (), "takes an object"),
        ("@/nowhere/at/all.json", (), "cannot be read"),
        (None, ("novalue",), "KEY=VALUE"),
        (None, ("a..b=1",), "KEY=VALUE"),
        (None, ("a=1", "a.b=2"), "no object"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(
    source: str | None, assignments: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(click.UsageError, match=complaint):
        read_payload(source, assignments)


def test_usage_errors_leave_with_2() -> None:
    outcome = CliRunner().invoke(stellwerk, ["submit", "diagnostics.echo", "--json", "{"])
    assert outcome.exit_code == 2
    assert "not valid JSON" in outcome.stderr
