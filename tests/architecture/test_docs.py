"""Generated documents are what the code generates, and what is written by hand leads somewhere."""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stellwerk import errors
from stellwerk.docs import GENERATED
from stellwerk.errors import StellwerkError
from stellwerk.field_comments import commented_fields
from stellwerk.settings import load_settings
from stellwerk_api.errors import FRAMEWORK, status_of

ROOT = Path(__file__).resolve().parents[2]
WORDS = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("name", GENERATED)
def test_generated_documents_are_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text() == GENERATED[name](), "run `make docs`"


def test_the_example_environment_gives_the_defaults(tmp_path: Path) -> None:
    example = (ROOT / ".env.example").read_text()
    everything = tmp_path / "env"
    everything.write_text(re.sub(r"^# (?=STELLWERK_)", "", example, flags=re.MULTILINE))

    assert load_settings(_env_file=everything) == load_settings(_env_file=None)


def test_codes_are_documented_with_the_status_they_are_answered_with() -> None:
    said = {
        field.name: field.comment.partition(":")[0] for field in commented_fields(errors.ErrorCode)
    }
    for kind, drawn in _drawn_statuses():
        assert drawn == said[kind.code] == str(status_of(kind(""))), kind.__name__
    for status, (code, _) in FRAMEWORK.items():
        assert said[code] == str(status)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_to_files(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text())
    missing = [target for target in targets if not (path.parent / target).exists()]
    assert not missing


def test_the_readme_says_what_the_last_chaos_run_counted() -> None:
    figures = json.loads((ROOT / "docs/chaos.json").read_text())
    ours, bare = figures["Stellwerk"], figures["bare Celery"]
    said = " ".join((ROOT / "README.md").read_text().split())
    for row in (ours, bare):
        number = {name: WORDS[row[name]] for name in ("lost", "twice")}
        assert f"took {row['duration, s']:.0f} s, lost {number['lost']} and did" in said
        assert f"did {number['twice']} twice" in said
    assert f"of {ours['uncertain']} blind effects" in said


def _drawn_statuses() -> Iterator[tuple[type[StellwerkError], str]]:
    """Class and HTTP status, from the tree at the top of errors.py."""
    for name, status in re.findall(r"── (\w+) +(\d{3}) ", inspect.getdoc(errors) or ""):
        yield getattr(errors, name), status
