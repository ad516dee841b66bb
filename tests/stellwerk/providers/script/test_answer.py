"""A language model's answer is mended where that is safe, and refused where it is not."""

import json

import pytest

from media_files import asked
from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.script.answer import script_from_answer

WORDS = "one two three four five six seven eight nine ten eleven"


def _answer(*narrations: str) -> str:
    scenes = [
        {"heading": f"H{n}", "narration": text, "bullets": []} for n, text in enumerate(narrations)
    ]
    return json.dumps({"title": "T", "description": "D", "tags": [], "scenes": scenes})


def _long(sentences: int, first: int = 0) -> str:
    return " ".join(f"Sentence {n} says {WORDS}." for n in range(first, first + sentences))


def test_an_answer_that_is_too_long_loses_its_last_sentences() -> None:
    script = script_from_answer(_answer(_long(8), _long(2, first=10)), asked(target_duration_s=30))
    assert sum(scene.duration_s for scene in script.scenes) <= 30 * 1.08
    assert script.scenes[0].narration.startswith("Sentence 0 ")
    assert "Sentence 11 " in script.scenes[1].narration


def test_a_scene_that_only_repeats_is_left_out() -> None:
    script = script_from_answer(_answer(_long(7), _long(7)), asked(target_duration_s=30))
    assert [scene.heading for scene in script.scenes] == ["H0"]


def test_an_answer_that_is_far_too_short_is_not_taken() -> None:
    with pytest.raises(ProviderUnavailable, match="too short"):
        script_from_answer(_answer("Only this."), asked(target_duration_s=60))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"title": "T", "scenes": []}', "no JSON"])
def test_anything_but_a_script_is_not_taken(text: str) -> None:
    with pytest.raises(ProviderUnavailable):
        script_from_answer(text, asked())
