"""The template writer: honest, never repeating itself, as long as asked."""

import re
import time
from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media_files import asked
from stellwerk.errors import InvalidInput
from stellwerk.providers.script.library import subjects, texts
from stellwerk.providers.script.protocol import Scene, Script, ScriptRequest, Style
from stellwerk.providers.script.sentences import pace_of, split_sentences
from stellwerk.providers.script.template import TemplateWriter

WRITER = TemplateWriter()
SHORT = pytest.mark.parametrize("target_duration_s", [15, 17.5, 20, 25, 30])
FREE_TOPICS = {"en": "Raised garden beds", "de": "Hochbeete im Garten"}
KEYWORDS = ((), ("Tomaten",), ("Tomaten", "Gießen", "Erde"), tuple(f"Sorte {n}" for n in range(20)))
DEMO = "Top 5 facts about railway signal boxes"
TOPICS = st.one_of(
    st.text(min_size=3, max_size=200),
    st.sampled_from([DEMO, "Warum Bienen wichtig sind", "How does it work?", "Dr. No. Yes! Go."]),
    st.builds("Top {} {}".format, st.integers(0, 120), st.text(min_size=3, max_size=60)),
)
REQUESTS = st.builds(
    ScriptRequest,
    topic=TOPICS,
    style=st.sampled_from(Style),
    language=st.sampled_from(["en", "en-GB", "de", "de-CH"]),
    target_duration_s=st.floats(15, 450),
    keywords=st.lists(st.text(max_size=30), max_size=20).map(tuple),
)


def _write(request: ScriptRequest) -> Script:
    return WRITER.write(request).script


def _sentences(script: Script) -> list[str]:
    return [s for scene in script.scenes for s in split_sentences(scene.narration)]


def _spoken_s(script: Script) -> float:
    pauses_s = 1.4 + 0.6 * (len(script.scenes) - 1)
    return sum(scene.duration_s for scene in script.scenes) + pauses_s


@given(request=REQUESTS)
@settings(max_examples=300, deadline=None)
def test_no_sentence_is_ever_said_twice(request: ScriptRequest) -> None:
    try:
        script = _write(request)
    except InvalidInput:
        return
    said = [sentence.casefold() for sentence in _sentences(script)]
    assert len(said) == len(set(said))


@given(request=REQUESTS)
@settings(max_examples=200, deadline=None)
def test_whatever_is_not_refused_comes_near_its_length(request: ScriptRequest) -> None:
    try:
        script = _write(request)
    except InvalidInput:
        return
    assert _spoken_s(script) == pytest.approx(request.target_duration_s, rel=0.16)


@pytest.mark.parametrize("style", list(Style))
@pytest.mark.parametrize("language", ["en", "de"])
def test_the_demo_has_five_numbered_facts_in_every_style(style: Style, language: str) -> None:
    script = _write(asked(style=style, language=language))
    numbered = [s.heading for s in script.scenes if re.match(r"\d+\. ", s.heading)]
    assert [heading.partition(".")[0] for heading in numbered] == list("12345")
    assert _spoken_s(script) == pytest.approx(30, rel=0.06)


def test_styles_differ_in_their_words() -> None:
    texts_by_style = {_write(asked(style=style)).scenes[0].narration for style in Style}
    assert len(texts_by_style) == len(Style)


def test_an_english_topic_asked_for_in_german_becomes_german() -> None:
    script = _write(asked(DEMO, language="de"))
    assert script.title == "Top 5 Fakten über Stellwerke"
    assert script.scenes[0].narration.startswith("Hier sind fünf Fakten über Stellwerke.")


def test_known_subjects_are_told_with_facts() -> None:
    script = _write(asked("Warum Bienen wichtig sind", language="de", target_duration_s=60))
    assert "Bienen tragen Pollen von Blüte zu Blüte." in _sentences(script)


def test_an_unknown_topic_gets_no_invented_facts_and_says_so() -> None:
    script = _write(asked("Top 5 facts about the planet Zorblax", target_duration_s=60))
    assert texts("en").honest in _sentences(script)


def test_a_list_that_does_not_fit_is_cut_and_the_title_says_so() -> None:
    script = _write(asked(DEMO, target_duration_s=15))
    assert script.title == "Top 2 facts about railway signal boxes"
    assert "cut to two entries" in script.description


def test_keywords_get_scenes_and_tags_once_each() -> None:
    request = asked("Cycling", keywords=("gears", "Gears", "brakes"), target_duration_s=90)
    script = _write(request)
    headings = [scene.heading for scene in script.scenes]
    assert headings.count("Gears") == 1
    assert "Brakes" in headings
    assert script.tags[:2] == ("gears", "brakes")


def _short_free_scripts(target_duration_s: float) -> Iterator[Script]:
    for language, style, keywords in product(FREE_TOPICS, Style, KEYWORDS):
        yield _write(
            asked(
                FREE_TOPICS[language],
                style=style,
                language=language,
                target_duration_s=target_duration_s,
                keywords=keywords,
            )
        )


def _points(script: Script) -> list[Scene]:
    closing = texts(script.language).closing_heading
    return [scene for scene in script.scenes[1:] if scene.heading != closing]


@SHORT
def test_a_short_video_has_a_point_and_lasts_as_long_as_asked(target_duration_s: float) -> None:
    for script in _short_free_scripts(target_duration_s):
        assert _points(script)
        assert _spoken_s(script) == pytest.approx(target_duration_s, rel=0.13)


@SHORT
def test_a_single_point_is_never_spoken_of_as_several(target_duration_s: float) -> None:
    for script in _short_free_scripts(target_duration_s):
        style = texts(script.language).styles[script.style.value]
        of_several = {*style.opening_more, *style.closing_more}
        assert len(_points(script)) > 1 or of_several.isdisjoint(_sentences(script))


@SHORT
def test_every_keyword_is_said_or_shown(target_duration_s: float) -> None:
    for script in _short_free_scripts(target_duration_s):
        shown = " ".join(text for scene in script.scenes for text in scene.bullets)
        said = " ".join(_sentences(script))
        for keyword in script.keywords:
            assert re.search(rf"\b{keyword}\b", f"{said} {shown}")
        assert not script.keywords or script.keywords[0] in said


@SHORT
def test_the_description_lists_the_points(target_duration_s: float) -> None:
    for script in _short_free_scripts(target_duration_s):
        _, listed = script.description.split(texts(script.language).contents)
        assert listed.split("\n")[1:] == [f"- {scene.heading}" for scene in _points(script)]


@pytest.mark.parametrize("target_duration_s", [15, 30, 60])
@pytest.mark.parametrize("topic", [DEMO, "Warum Bienen wichtig sind", "Top 5 facts about Zorblax"])
def test_keywords_without_time_are_shown_at_the_end(topic: str, target_duration_s: float) -> None:
    keywords = ("levers", "interlocking", "wax", "paint")
    script = _write(asked(topic, keywords=keywords, target_duration_s=target_duration_s))
    bullets = " ".join(text for scene in script.scenes for text in scene.bullets)
    text = f"{' '.join(_sentences(script))} {bullets}".lower()
    assert all(keyword in text for keyword in keywords)


@pytest.mark.parametrize("language", ["en", "de"])
def test_too_long_a_video_is_refused_with_the_longest_there_is(language: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        WRITER.refuse_unfillable(asked("Cycling", language=language, target_duration_s=3600))
    longest_s = refused.value.details["longest_s"]
    assert 240 < longest_s < 3600
    script = _write(asked("Cycling", language=language, target_duration_s=longest_s))
    assert _spoken_s(script) == pytest.approx(longest_s, rel=0.02)


def test_refusing_takes_no_time_worth_mentioning() -> None:
    began = time.perf_counter()
    WRITER.refuse_unfillable(asked("The Moon and its craters", target_duration_s=60))
    assert time.perf_counter() - began < 0.2


@pytest.mark.parametrize("topic", ["日本の鉄道", "???", "🚂🚂🚂", "Ωραία"])
def test_a_topic_that_no_voice_can_say_is_refused(topic: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        WRITER.refuse_unfillable(asked(topic))
    assert refused.value.errors[0].field == "topic"


def test_a_question_keeps_its_mark() -> None:
    script = _write(asked("Why is the sky blue?"))
    assert script.title == "Why is the sky blue?"
    assert "Why is the sky blue?" in script.scenes[0].narration


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_prepared_sentence_is_one_sentence_and_stands_once(language: str) -> None:
    prepared = texts(language)
    said = [sentence for beat in (*prepared.beats, *prepared.keywords) for sentence in beat.says]
    said += [s for subject in subjects() for fact in subject.facts for s in fact[language].says]
    for sentence in said:
        assert split_sentences(sentence) == [sentence]
        assert sentence[-1] in ".!?"
        assert pace_of(language).seconds([sentence]) < 10
    assert len(said) == len(set(said))


def test_every_fact_is_told_in_both_languages() -> None:
    for subject in subjects():
        assert set(subject.subject) == {"en", "de"}
        for fact in subject.facts:
            assert len(fact["en"].says) == len(fact["de"].says) == 3
            assert fact["en"].bullets
            assert fact["de"].bullets
