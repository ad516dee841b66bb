"""The scenes a template script may have, in order, each with all it could say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from stellwerk.providers.script.library import Beat, StyleTexts, Subject, Texts, subject_of, texts
from stellwerk.providers.script.protocol import ScriptRequest
from stellwerk.providers.script.sentences import pace_of
from stellwerk.providers.script.topic import Topic, capitalised, speakable

OPENING_SHARE = 0.35  # of the video, at most, for saying the topic
HONEST_FROM_S = 20.0  # from here a topic without facts always says that it has none
BRIDGES_FROM_S = 45.0  # shorter videos have no time for pleasantries


@dataclass(frozen=True, slots=True)
class Draft:
    """A scene before it is known how much of it is said.

    Sentences are taken from the front; a scene that is taken at all takes `least` of them.
    What is `core` is told in full before anything else is added.
    """

    heading: str
    bullets: tuple[str, ...]
    says: tuple[str, ...]
    least: int = 1
    obligatory: bool = False
    core: bool = False


def outline(request: ScriptRequest, topic: Topic, language: str) -> list[Draft]:
    """All scenes for `topic`: opening, numbered entries or points, closing."""
    words = texts(language)
    style = words.styles[request.style.value]
    subject = subject_of(topic.text)
    body = _body(request, topic, words=words, subject=subject, language=language)
    if topic.count:
        body = _numbered(body, topic.count, words=words, style=style)
    elif request.target_duration_s >= BRIDGES_FROM_S:
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


def _body(
    request: ScriptRequest, topic: Topic, *, words: Texts, subject: Subject | None, language: str
) -> list[Draft]:
    questions = _questions(request, words)
    if subject is None:
        return [replace(draft, core=topic.count is None) for draft in questions]
    facts = [replace(_draft(fact[language]), core=True) for fact in subject.facts]
    if topic.count:
        facts = facts[: topic.count]
    first, *others = questions
    return [*facts, replace(first, says=(words.transition, *first.says), least=2), *others]


def _questions(request: ScriptRequest, words: Texts) -> list[Draft]:
    """The general points, with the keywords' scenes among the first of them."""
    beats = [replace(_draft(beat), least=2) for beat in words.beats]
    pairs = zip_longest(beats, _keyword_drafts(request.keywords, words))
    return [draft for pair in pairs for draft in pair if draft]


def _keyword_drafts(keywords: Sequence[str], words: Texts) -> Iterator[Draft]:
    different: dict[str, str] = {}
    for keyword in map(speakable, keywords):
        different.setdefault(keyword.casefold(), keyword)
    spoken = [keyword for keyword in different.values() if keyword]
    for keyword, beat in zip(spoken, words.keywords, strict=False):
        says = tuple(sentence.replace("{keyword}", keyword) for sentence in beat.says)
        yield Draft(capitalised(keyword), beat.bullets, says, least=2)


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
    )


def _closing(words: Texts, style: StyleTexts) -> Draft:
    return Draft(words.closing_heading, (), (style.closing, *style.closing_more), obligatory=True)
