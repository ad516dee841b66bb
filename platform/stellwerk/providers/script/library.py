"""The template writer's texts and facts, read once from the JSON files beside this module."""

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import TypeAdapter

TEXT_LANGUAGES = frozenset({"en", "de"})


@dataclass(frozen=True, slots=True)
class Beat:
    """One scene's worth of text; the first sentence also stands alone."""

    bullets: tuple[str, ...]
    says: tuple[str, ...]
    heading: str = ""


@dataclass(frozen=True, slots=True)
class StyleTexts:
    """The sentences in which styles differ; placeholders in braces.

    What stands in the `_more` lists may speak of several points.
    """

    label: str
    list_opening: str
    opening: str
    opening_more: tuple[str, ...]
    closing: str
    closing_more: tuple[str, ...]
    bridges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Texts:
    """Everything the template writer can say in one language, except facts."""

    counts: tuple[str, ...]
    unnamed_opening: str
    honest: str
    transition: str
    closing_heading: str
    description: str
    shortened: str
    contents: str
    further: str
    stop_words: str
    styles: dict[str, StyleTexts]
    keywords: tuple[Beat, ...]
    gathered: Beat
    single_keyword: Beat
    beats: tuple[Beat, ...]

    def count_word(self, count: int) -> str:
        """A small number as a word, a larger one in digits."""
        return self.counts[count] if count < len(self.counts) else str(count)


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject with well-known facts; `matches` are regular expressions for a topic's words."""

    matches: tuple[str, ...]
    subject: dict[str, str]
    facts: tuple[dict[str, Beat], ...]


_TEXTS: TypeAdapter[Texts] = TypeAdapter(Texts)
_SUBJECT: TypeAdapter[Subject] = TypeAdapter(Subject)


@cache
def texts(language: str) -> Texts:
    """The texts of one of `TEXT_LANGUAGES`."""
    return _TEXTS.validate_python(_read("texts", f"{language}.json"))


@cache
def subjects() -> tuple[Subject, ...]:
    """All subjects of the fact base."""
    names = sorted(entry.name for entry in files(__package__).joinpath("facts").iterdir())
    return tuple(
        _SUBJECT.validate_python(_read("facts", name)) for name in names if name.endswith(".json")
    )


def subject_of(topic: str) -> Subject | None:
    """The subject whose name stands in `topic`, in whatever language it is written."""
    for subject in subjects():
        if any(re.search(rf"\b{pattern}\b", topic, re.IGNORECASE) for pattern in subject.matches):
            return subject
    return None


def _read(folder: str, name: str) -> Any:
    return json.loads(files(__package__).joinpath(folder, name).read_text(encoding="utf-8"))
