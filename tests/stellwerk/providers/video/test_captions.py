"""Captions say exactly what is said, when it is said."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_files import asked
from stellwerk.errors import InvalidInput
from stellwerk.providers.script.protocol import Scene, Script, Style
from stellwerk.providers.script.template import TemplateWriter
from stellwerk.providers.video.captions import Caption, captions_of, read_srt, write_srt
from stellwerk.providers.voice.narration import Span

NARRATIONS = st.lists(
    st.text("abcdefgh ,.!?äß", min_size=1, max_size=400).filter(lambda text: text.strip()),
    min_size=1,
    max_size=5,
)


def _script(narrations: list[str]) -> Script:
    scenes = tuple(Scene("H", " ".join(text.split()), (), 1.0) for text in narrations)
    return Script("T", "D", (), "en", Style.NEWS, 30.0, scenes)


def _speech(script: Script) -> list[Span]:
    return [Span(number * 10 + 0.4, number * 10 + 9.2) for number in range(len(script.scenes))]


def _read(captions: tuple[Caption, ...]) -> str:
    return " ".join(caption.text.replace("\n", " ") for caption in captions)


@given(narrations=NARRATIONS)
def test_they_are_the_narration_to_the_letter(narrations: list[str]) -> None:
    script = _script(narrations)
    captions = captions_of(script, _speech(script))
    assert _read(captions) == " ".join(scene.narration for scene in script.scenes)


@given(narrations=NARRATIONS)
def test_they_come_one_after_another_while_their_scene_is_spoken(narrations: list[str]) -> None:
    script = _script(narrations)
    captions = captions_of(script, _speech(script))
    assert all(caption.start_s < caption.end_s for caption in captions)
    assert all(before.end_s <= after.start_s + 1e-9 for before, after in pairwise(captions))
    assert captions[0].start_s == pytest.approx(0.4)
    assert captions[-1].end_s == pytest.approx(_speech(script)[-1].end_s)


@pytest.mark.parametrize("language", ["en", "de"])
def test_they_have_at_most_two_lines_of_42_characters(language: str) -> None:
    script = TemplateWriter().write(asked(language=language, target_duration_s=240)).script
    for caption in captions_of(script, _speech(script)):
        lines = caption.text.split("\n")
        assert len(lines) <= 2
        assert all(len(line) <= 42 for line in lines)


@given(narrations=NARRATIONS)
def test_a_file_of_them_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, narrations: list[str]
) -> None:
    script = _script(narrations)
    captions = captions_of(script, _speech(script))
    again = read_srt(write_srt(captions, tmp_path_factory.mktemp("srt") / "captions.srt"))
    assert _read(again) == _read(captions)
    for one, other in zip(again, captions, strict=True):
        assert one.start_s == pytest.approx(other.start_s, abs=0.001)
        assert one.end_s == pytest.approx(other.end_s, abs=0.001)


def test_hours_are_written_out(tmp_path: Path) -> None:
    path = write_srt([Caption(3599.9996, 3661.5, "Late.")], tmp_path / "captions.srt")
    assert "01:00:00,000 --> 01:01:01,500" in path.read_text()


def test_a_file_without_captions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "captions.srt"
    path.write_text("nothing here")
    with pytest.raises(InvalidInput):
        read_srt(path)
