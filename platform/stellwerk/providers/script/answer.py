"""A language model's answer made into a script: checked once, mended where that is safe."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.script.keywords import distinct_keywords
from stellwerk.providers.script.protocol import Scene, Script, ScriptRequest
from stellwerk.providers.script.sentences import Pace, pace_of, split_sentences

TOO_LONG = 1.08  # of the target: sentences are dropped from here
TOO_SHORT = 0.75  # of the target: slower speech and longer pauses cannot fill more
TEXTS = {"type": "array", "items": {"type": "string"}}
SCHEMA: dict[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "description", "tags", "scenes"],
    "properties": {
        "title": {"type": "string"},
        "description": {"type": "string"},
        "tags": TEXTS,
        "scenes": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["heading", "narration", "bullets"],
                "properties": {
                    "heading": {"type": "string"},
                    "narration": {"type": "string"},
                    "bullets": TEXTS,
                },
            },
        },
    },
}
Sentences = list[list[str]]


@dataclass(frozen=True, slots=True)
class AnsweredScene:
    """A scene as the model sends it."""

    heading: Annotated[str, Field(min_length=1, max_length=200)]
    narration: str
    bullets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A script as the model sends it; `SCHEMA` describes the same."""

    title: Annotated[str, Field(min_length=1, max_length=300)]
    description: Annotated[str, Field(max_length=5000)]
    tags: tuple[str, ...]
    scenes: Annotated[tuple[AnsweredScene, ...], Field(min_length=1)]


_ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)


def script_from_answer(text: str, request: ScriptRequest) -> Script:
    """Read and mend an answer: repeated sentences go, and so does what is too long.

    Raises ProviderUnavailable where it is no script, or far too short.
    """
    try:
        answer = _ANSWER.validate_json(text)
    except ValidationError as exc:
        raise ProviderUnavailable("The model's answer is not a script.") from exc
    language = request.language.partition("-")[0].lower()
    pace = pace_of(language)
    said = _shortened(_said_once(answer), request.target_duration_s, pace)
    if _seconds(said, pace) < TOO_SHORT * request.target_duration_s:
        raise ProviderUnavailable("The model's script is far too short.")
    scenes = tuple(
        Scene(scene.heading, " ".join(says), scene.bullets[:4], round(pace.seconds(says), 2))
        for scene, says in zip(answer.scenes, said, strict=True)
        if says
    )
    return Script(
        title=answer.title,
        description=answer.description,
        tags=answer.tags[:15],
        language=language,
        style=request.style,
        target_duration_s=request.target_duration_s,
        scenes=scenes,
        keywords=distinct_keywords(request.keywords),
    )


def _said_once(answer: Answer) -> Sentences:
    heard: set[str] = set()
    scenes: Sentences = []
    for scene in answer.scenes:
        new = dict.fromkeys(split_sentences(" ".join(scene.narration.split())))
        scenes.append([sentence for sentence in new if sentence.casefold() not in heard])
        heard.update(sentence.casefold() for sentence in new)
    return scenes


def _shortened(scenes: Sentences, target_s: float, pace: Pace) -> Sentences:
    """Drop last sentences of the longest scenes; every scene keeps its first."""
    kept = [list(says) for says in scenes]
    while _seconds(kept, pace) > TOO_LONG * target_s:
        longest = max(kept, key=len)
        if len(longest) <= 1:
            break
        longest.pop()
    return kept


def _seconds(scenes: Sentences, pace: Pace) -> float:
    return sum(pace.seconds(says) for says in scenes)
