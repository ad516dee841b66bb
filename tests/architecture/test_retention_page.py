"""The page about retention says of every table who removes its rows, and names no other."""

import re
from pathlib import Path

from stellwerk.bootstrap import metadata
from stellwerk.settings import Settings
from stellwerk.settings.naming import PREFIX

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "retention.md").read_text()
BY = {"kept", "housekeeping", "erasure", "user", "dispatcher", "their job", "`stellwerk keys`"}


def test_every_table_has_its_rule() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert [name for name, _, _ in rows] == sorted(metadata().tables)
    assert {one for _, _, by in rows for one in by.split(", ")} == BY
    assert [name for name, rule, by in rows if (by == "kept") != rule.startswith(KEPT)] == []


KEPT = ("never: ", "it is one row")


def test_the_settings_it_names_are_there() -> None:
    named = set(re.findall(rf"{PREFIX}(\w+)", PAGE))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}
