"""Sentences: where they end, and how long a voice takes for them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_END = re.compile(r"(?<=[.!?…])[\"”“»)]*\s+")


def split_sentences(text: str) -> list[str]:
    """The sentences of `text`, each with its closing mark."""
    return [sentence for part in _END.split(text) if (sentence := part.strip())]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a language is spoken, measured on the voices of this platform."""

    s_per_character: float
    s_per_sentence: float

    def seconds(self, sentences: Iterable[str]) -> float:
        """How long these sentences take one after another."""
        return sum(self.s_per_sentence + self.s_per_character * len(text) for text in sentences)


PACES = {"en": Pace(0.0583, 0.14), "de": Pace(0.0553, 0.70)}
FALLBACK_PACE = Pace(0.06, 0.4)


def pace_of(language: str) -> Pace:
    """The pace of a primary language subtag; an average one where none was measured."""
    return PACES.get(language, FALLBACK_PACE)
