"""What a script is, and what a writer of scripts can do."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Protocol

from pydantic import Field, TypeAdapter, ValidationError

from stellwerk.errors import FieldError, InvalidInput
from stellwerk.providers.pricing import Usage


class Style(StrEnum):
    """Tone of the text and palette of the pictures."""

    EDUCATIONAL = "educational"
    ENTERTAINING = "entertaining"
    NEWS = "news"
    TUTORIAL = "tutorial"
    STORY = "story"


@dataclass(frozen=True, slots=True)
class ScriptRequest:
    """What to write about; `language` is a BCP 47 tag, `target_duration_s` the spoken length."""

    topic: str
    style: Style
    language: str
    target_duration_s: float
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture and what is said while it stands; `duration_s` is an estimate."""

    heading: Annotated[str, Field(min_length=1, max_length=200)]
    narration: Annotated[str, Field(min_length=1, max_length=5000)]
    bullets: Annotated[tuple[str, ...], Field(max_length=6)]
    duration_s: Annotated[float, Field(gt=0, le=3600)]


@dataclass(frozen=True, slots=True)
class Script:
    """A finished script; `language` is the primary subtag that it is spoken in.

    `keywords` are those asked for that a voice can say, each once.
    """

    title: Annotated[str, Field(min_length=1, max_length=300)]
    description: Annotated[str, Field(max_length=5000)]
    tags: tuple[str, ...]
    language: str
    style: Style
    target_duration_s: Annotated[float, Field(gt=0)]
    scenes: Annotated[tuple[Scene, ...], Field(min_length=1, max_length=600)]
    keywords: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain JSON: what script.json holds."""
        document: dict[str, Any] = _SCRIPT.dump_python(self, mode="json")
        return document

    @classmethod
    def from_json(cls, document: object) -> "Script":
        """Read what `to_json` wrote, perhaps edited; raises InvalidInput naming each field."""
        try:
            return _SCRIPT.validate_python(document)
        except ValidationError as exc:
            wrong = [
                FieldError(".".join(map(str, error["loc"])), error["msg"])
                for error in exc.errors(include_input=False, include_url=False)
            ]
            raise InvalidInput("This is not a usable script.", errors=wrong) from exc


_SCRIPT: TypeAdapter[Script] = TypeAdapter(Script)


@dataclass(frozen=True, slots=True)
class Written:
    """A script and what its writing used."""

    script: Script
    usage: tuple[Usage, ...]


class ScriptWriter(Protocol):
    """Writes scripts."""

    def refuse_unfillable(self, request: ScriptRequest, languages: Collection[str]) -> None:
        """Raise InvalidInput for a request that `write` could not fulfil; fast, no network.

        `languages` are those that the voice speaks. A length that cannot be filled without
        repetition is refused with `details={"longest_s": seconds}`.
        """

    def write(self, request: ScriptRequest) -> Written:
        """Write a script in which no sentence stands twice.

        Raises InvalidInput, ProviderUnavailable and ProviderRejected.
        """
