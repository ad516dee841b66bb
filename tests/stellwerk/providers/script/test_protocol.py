"""script.json may come back edited by hand."""

from typing import Any

import pytest

from media_files import asked
from stellwerk.errors import InvalidInput
from stellwerk.providers.script.protocol import Script
from stellwerk.providers.script.template import TemplateWriter


@pytest.fixture
def document() -> dict[str, Any]:
    return TemplateWriter().write(asked()).script.to_json()


def test_an_edited_sentence_is_taken_over(document: dict[str, Any]) -> None:
    document["scenes"][1]["narration"] = "Something else."
    assert Script.from_json(document).scenes[1].narration == "Something else."


@pytest.mark.parametrize(
    ("field", "value"), [("scenes", []), ("title", ""), ("style", "loud"), ("title", 3)]
)
def test_a_wrong_field_is_named(document: dict[str, Any], field: str, value: object) -> None:
    document[field] = value
    with pytest.raises(InvalidInput) as refused:
        Script.from_json(document)
    assert refused.value.errors[0].field == field


def test_a_scene_without_words_is_named(document: dict[str, Any]) -> None:
    document["scenes"][2]["narration"] = ""
    with pytest.raises(InvalidInput) as refused:
        Script.from_json(document)
    assert refused.value.errors[0].field == "scenes.2.narration"


def test_a_script_from_before_keywords_were_kept_is_still_read(document: dict[str, Any]) -> None:
    del document["keywords"]
    assert Script.from_json(document).keywords == ()


@pytest.mark.parametrize("document", [None, [], "script", 5])
def test_something_else_entirely_is_refused(document: object) -> None:
    with pytest.raises(InvalidInput):
        Script.from_json(document)
