"""A writer that needs no key and no network: it joins prepared sentences to a script.

It states facts only about the subjects of its fact base. About every other topic it says what
to ask, where to look and how to check, which is true whatever the topic is.
"""

import math
from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal

from stellwerk.errors import FieldError, InvalidInput
from stellwerk.providers.languages import spoken_language
from stellwerk.providers.pricing import Usage
from stellwerk.providers.script.filling import OVER_AT_MOST, Filling, everything, fill, least
from stellwerk.providers.script.keywords import distinct_keywords
from stellwerk.providers.script.library import TEXT_LANGUAGES, Texts, texts
from stellwerk.providers.script.outline import entries_available, local_topic, outline
from stellwerk.providers.script.protocol import Scene, Script, ScriptRequest, Written
from stellwerk.providers.script.sentences import pace_of
from stellwerk.providers.script.topic import Topic, read_topic

MOST_TAGS = 15
SHORTEST_TAG = 3
HEADINGS_RECALLED = 3


class TemplateWriter:
    """Writes English and German."""

    def refuse_unfillable(
        self, request: ScriptRequest, languages: Collection[str] = TEXT_LANGUAGES
    ) -> None:
        """See `ScriptWriter.refuse_unfillable`; takes a few milliseconds."""
        language = spoken_language(request.language, TEXT_LANGUAGES.intersection(languages))
        longest = _longest_s(request, _topic_that_fits(request, language), language)
        if request.target_duration_s > longest:
            message = (
                f"This topic can be filled to {longest} s at most without repeating anything; "
                f"{request.target_duration_s:g} s were asked for."
            )
            raise InvalidInput(
                message,
                errors=[FieldError("target_duration", message)],
                details={"longest_s": longest},
            )

    def write(self, request: ScriptRequest) -> Written:
        """See `ScriptWriter.write`."""
        self.refuse_unfillable(request)
        language = spoken_language(request.language, TEXT_LANGUAGES)
        topic = _topic_that_fits(request, language)
        filling = _filled(request, topic, language)
        scenes = _scenes(filling, _unspoken(request, filling), language)
        script = _script(request, topic, language=language, scenes=scenes)
        return Written(script, (Usage("template", "script", Decimal(1)),))


def _longest_s(request: ScriptRequest, topic: Topic, language: str) -> int:
    drafts = outline(request, topic, language)
    return math.floor(everything(drafts).seconds(pace_of(language)))


def _topic_that_fits(request: ScriptRequest, language: str) -> Topic:
    """The topic; a list has as many entries as there are and as the length allows, at least 2."""
    topic = local_topic(read_topic(request.topic), language)
    if topic.count is None:
        return topic
    available = min(topic.count, entries_available(request, topic, language))
    for count in range(available, 2, -1):
        shorter = topic.limited_to(count)
        shortest = least(outline(request, shorter, language)).seconds(pace_of(language))
        if shortest <= request.target_duration_s * OVER_AT_MOST:
            return topic if count == topic.count else shorter
    return topic.limited_to(2)


def _filled(request: ScriptRequest, topic: Topic, language: str) -> Filling:
    """What is said; keywords with no time for scenes of their own are gathered in one."""
    keywords = distinct_keywords(request.keywords)
    own_scenes = len(texts(language).keywords)
    pace = pace_of(language)
    for apart in ((), keywords[own_scenes:], keywords):
        drafts = outline(request, topic, language, gathered=apart)
        filling = fill(drafts, request.target_duration_s, pace)
        if topic.count or not _unspoken(request, filling):
            break
    return filling


def _unspoken(request: ScriptRequest, filling: Filling) -> tuple[str, ...]:
    """The keywords that no scene deals with."""
    dealt_with = {
        keyword
        for draft, said in zip(filling.drafts, filling.said, strict=True)
        if said
        for keyword in draft.keywords
    }
    return tuple(each for each in distinct_keywords(request.keywords) if each not in dealt_with)


def _scenes(filling: Filling, unspoken: tuple[str, ...], language: str) -> tuple[Scene, ...]:
    """The scenes; the last one recalls the points and shows the keywords not dealt with."""
    pace = pace_of(language)
    chosen = [
        (draft, draft.says[:said])
        for draft, said in zip(filling.drafts, filling.said, strict=True)
        if said
    ]
    points = [draft.heading for draft, _ in chosen if not draft.frame]
    recalled = points[:HEADINGS_RECALLED] if chosen[-1][0].frame else []
    scenes = [
        Scene(draft.heading, " ".join(says), draft.bullets, round(pace.seconds(says), 2))
        for draft, says in chosen
    ]
    last = scenes[-1]
    further = [texts(language).further.replace("{keywords}", ", ".join(unspoken))]
    bullets = (*last.bullets, *recalled, *(further if unspoken else ()))
    return (*scenes[:-1], replace(last, bullets=bullets))


def _script(
    request: ScriptRequest, topic: Topic, *, language: str, scenes: tuple[Scene, ...]
) -> Script:
    return Script(
        title=topic.heading,
        description=_description(request, topic, words=texts(language), scenes=scenes),
        tags=_tags(request, topic, texts(language)),
        language=language,
        style=request.style,
        target_duration_s=request.target_duration_s,
        scenes=scenes,
        keywords=distinct_keywords(request.keywords),
    )


def _description(
    request: ScriptRequest, topic: Topic, *, words: Texts, scenes: tuple[Scene, ...]
) -> str:
    lines = [words.description.replace("{topic}", topic.sentence)]
    points = [scene.heading for scene in scenes[1:] if scene.heading != words.closing_heading]
    if points:
        lines += ["", words.contents, *(f"- {heading}" for heading in points)]
    asked = read_topic(request.topic).count
    if asked and topic.count and topic.count < asked:
        shortened = words.shortened.replace("{count}", words.count_word(topic.count))
        lines += ["", shortened.replace("{target}", f"{request.target_duration_s:g}")]
    return "\n".join(lines)


def _tags(request: ScriptRequest, topic: Topic, words: Texts) -> tuple[str, ...]:
    """The keywords, then the words of the topic that carry meaning; lower case, no doubles."""
    said_often = set(words.stop_words.split())
    spoken = [word.strip(",.?!") for word in (topic.rest or topic.text).lower().split()]
    telling = [word for word in spoken if len(word) >= SHORTEST_TAG and word not in said_often]
    keywords = [keyword.lower() for keyword in distinct_keywords(request.keywords)]
    different = dict.fromkeys([*keywords, *telling])
    return tuple(different)[:MOST_TAGS]
