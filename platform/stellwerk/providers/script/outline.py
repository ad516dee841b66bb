"""The scenes a template script may have, in order, each with all it could say."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import zip_longest

from stellwerk.providers.script.draft import Draft
from stellwerk.providers.script.keywords import (
    distinct_keywords,
    gathering_draft,
    keyword_drafts,
)
from stellwerk.providers.script.library import Beat, StyleTexts, Subject, Texts, subject_of, texts
from stellwerk.providers.script.protocol import ScriptRequest
from stellwerk.providers.script.sentences import pace_of
from stellwerk.providers.script.topic import Topic

OPENING_SHARE = 0.35  # of the video, at most, for saying the topic
HONEST_FROM_S = 20.0  # from here a topic without facts always says that it has none
GATHERED_FACTS_FROM_S = 30.0  # shorter videos about known facts only show the keywords
BRIDGES_FROM_S = 45.0  # shorter videos have no time for pleasantries


def outline(
    request: ScriptRequest, topic: Topic, language: str, *, gathered: Collection[str] = ()
) -> list[Draft]:
    """All scenes for `topic`: opening, numbered entries or points, closing.

    The keywords in `gathered` share one scene, which is always said; a list has none such.
    """
    words = texts(language)
    style = words.styles[request.style.value]
    subject = subject_of(topic.text)
    if topic.count:
        listed = _listed(request, words=words, subject=subject, language=language)
        body = _numbered(listed, topic.count, words=words, style=style)
    else:
        body = _points(request, words=words, subject=subject, language=language, apart=gathered)
        if request.target_duration_s >= BRIDGES_FROM_S:
            body = _bridged(body, style.bridges)
    opening = _opening(request, topic, words=words, subject=subject, language=language)
    return [opening, *body, _closing(words, style)]


def entries_available(request: ScriptRequest, topic: Topic, language: str) -> int:
    """How many numbered entries a list about `topic` can have."""
    subject = subject_of(topic.text)
    if subject:
        return len(subject.facts)
    return len(_questions(request, texts(language)))


def local_topic(topic: Topic, language: str) -> Topic:
    """A list topic in the language of the video, where its facts are known in that language.

    "Top 5 facts about bees" asked for in German becomes "Top 5 Fakten über Bienen".
    """
    subject = subject_of(topic.text)
    if subject is None or topic.count is None or _reads_as(topic, language, subject):
        return topic
    return replace(topic, rest=subject.subject[language]).limited_to(topic.count)


def _reads_as(topic: Topic, language: str, subject: Subject) -> bool:
    """Whether the topic shares more words with the texts of `language` than with the others'."""

    def shared(other: str) -> int:
        known = set(texts(other).stop_words.split()) | set(subject.subject[other].lower().split())
        return len(known.intersection(topic.rest.lower().split()))

    return all(shared(language) >= shared(other) for other in subject.subject)


def _listed(
    request: ScriptRequest, *, words: Texts, subject: Subject | None, language: str
) -> list[Draft]:
    """What a list counts: all facts of its subject, or else the general points."""
    questions = _questions(request, words)
    return [*_facts(subject, language), *_afterwards(questions, words)] if subject else questions


def _points(
    request: ScriptRequest,
    *,
    words: Texts,
    subject: Subject | None,
    language: str,
    apart: Collection[str],
) -> list[Draft]:
    """The points of a video that is no list; the first is always made."""
    gathering = _gathering(request, apart, words=words, language=language)
    questions = _questions(request, words, apart)
    if subject is None:
        points = [replace(draft, core=True) for draft in (*gathering, *questions)]
    else:
        late = [
            replace(draft, obligatory=request.target_duration_s >= GATHERED_FACTS_FROM_S)
            for draft in gathering
        ]
        points = [*_facts(subject, language), *late, *_afterwards(questions, words)]
    first, *others = points
    return [replace(first, obligatory=True), *others]


def _facts(subject: Subject, language: str) -> list[Draft]:
    return [replace(_draft(fact[language]), core=True) for fact in subject.facts]


def _afterwards(questions: Sequence[Draft], words: Texts) -> list[Draft]:
    first, *others = questions
    return [replace(first, says=(words.transition, *first.says), least=2), *others]


def _questions(request: ScriptRequest, words: Texts, apart: Collection[str] = ()) -> list[Draft]:
    """The general points, with the scenes of the keywords not `apart` among the first of them."""
    beats = [replace(_draft(beat), least=2) for beat in words.beats]
    keywords = [each for each in distinct_keywords(request.keywords) if each not in apart]
    pairs = zip_longest(beats, keyword_drafts(keywords, words))
    return [draft for pair in pairs for draft in pair if draft]


def _gathering(
    request: ScriptRequest, apart: Collection[str], *, words: Texts, language: str
) -> list[Draft]:
    keywords = [each for each in distinct_keywords(request.keywords) if each in apart]
    if not keywords:
        return []
    target_s, pace = request.target_duration_s, pace_of(language)
    return [gathering_draft(keywords, words, target_duration_s=target_s, pace=pace)]


def _draft(beat: Beat) -> Draft:
    return Draft(beat.heading, beat.bullets, beat.says)


def _numbered(
    drafts: Sequence[Draft], count: int, *, words: Texts, style: StyleTexts
) -> list[Draft]:
    entries = [
        _entry(draft, number, style.label.replace("{count}", words.count_word(number)))
        for number, draft in enumerate(drafts[:count], start=1)
    ]
    return [*entries, *drafts[count:]]


def _entry(draft: Draft, number: int, label: str) -> Draft:
    first, *others = draft.says
    return replace(
        draft,
        heading=f"{number}. {draft.heading}",
        says=(f"{label}: {first}", *others),
        least=1,
        obligatory=True,
        core=True,
    )


def _bridged(drafts: Sequence[Draft], bridges: Sequence[str]) -> list[Draft]:
    """Every other scene begins with one of the style's bridges, until they are used up."""
    waiting = list(bridges)
    return [
        replace(draft, says=(waiting.pop(0), *draft.says), least=draft.least + 1)
        if index % 2 and waiting
        else draft
        for index, draft in enumerate(drafts)
    ]


def _opening(
    request: ScriptRequest, topic: Topic, *, words: Texts, subject: Subject | None, language: str
) -> Draft:
    style = words.styles[request.style.value]
    first = style.opening.replace("{topic}", topic.sentence)
    if topic.count and subject:
        first = style.list_opening.replace("{count}", words.count_word(topic.count))
        first = first.replace("{rest}", topic.rest)
    if pace_of(language).seconds([first]) > OPENING_SHARE * request.target_duration_s:
        first = words.unnamed_opening
    more = style.opening_more if subject else (words.honest, *style.opening_more)
    roomy = request.target_duration_s >= HONEST_FROM_S
    return Draft(
        heading=topic.heading,
        bullets=(),
        says=(first, *more),
        least=2 if subject is None and roomy else 1,
        obligatory=True,
        frame=True,
        alone=1 if subject else 2,
    )


def _closing(words: Texts, style: StyleTexts) -> Draft:
    says = (style.closing, *style.closing_more)
    return Draft(words.closing_heading, (), says, obligatory=True, frame=True)
