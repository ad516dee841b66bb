"""How a script speaks of its keywords: each in a scene of its own, or several in one."""

from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from stellwerk.providers.script.draft import Draft
from stellwerk.providers.script.library import Texts
from stellwerk.providers.script.sentences import Pace
from stellwerk.providers.script.topic import capitalised, speakable

NAMED_SHARE = 0.35  # of the video, at most, for naming the keywords of one scene
MOST_LINES = 4


def distinct_keywords(keywords: Iterable[str]) -> tuple[str, ...]:
    """The keywords in speakable form, without those that differ in nothing but case."""
    different: dict[str, str] = {}
    for keyword in map(speakable, keywords):
        different.setdefault(keyword.casefold(), keyword)
    return tuple(keyword for keyword in different.values() if keyword)


def keyword_drafts(keywords: Sequence[str], words: Texts) -> Iterator[Draft]:
    """A scene for each keyword, as far as there are different texts for them."""
    for keyword, beat in zip(keywords, words.keywords, strict=False):
        says = tuple(sentence.replace("{keyword}", keyword) for sentence in beat.says)
        yield Draft(capitalised(keyword), beat.bullets, says, least=2, keywords=(keyword,))


def gathering_draft(
    keywords: Sequence[str], words: Texts, *, target_duration_s: float, pace: Pace
) -> Draft:
    """One scene for all these keywords: shown every one, said as many as there is time for."""
    beat = words.gathered if len(keywords) > 1 else words.single_keyword
    naming, *others = beat.says
    said = [
        naming.replace("{keywords}", ", ".join(keywords[:count]))
        for count in range(1, len(keywords) + 1)
    ]
    affordable_s = NAMED_SHARE * target_duration_s
    fitting = [text for text in said if pace.seconds([text]) <= affordable_s]
    return Draft(
        beat.heading or capitalised(keywords[0]),
        beat.bullets or keyword_lines(keywords, MOST_LINES),
        (fitting[-1] if fitting else said[0], *others),
        least=1,
        keywords=tuple(keywords),
    )


def keyword_lines(keywords: Sequence[str], most: int) -> tuple[str, ...]:
    """The keywords as bullets: one each, or evenly shared out over `most` of them."""
    if not keywords:
        return ()
    per_line = ceil(len(keywords) / most)
    starts = range(0, len(keywords), per_line)
    return tuple(capitalised(", ".join(keywords[n : n + per_line])) for n in starts)
