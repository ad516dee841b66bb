"""Scripts by OpenAI: chat completions with structured output.

See https://platform.openai.com/docs/guides/structured-outputs.
"""

import json
from collections.abc import Collection
from decimal import Decimal

import openai
from openai.types.chat import ChatCompletion
from openai.types.shared_params import ResponseFormatJSONSchema

from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.providers.languages import spoken_language
from stellwerk.providers.openai_client import openai_errors
from stellwerk.providers.pricing import Usage
from stellwerk.providers.script.answer import SCHEMA, script_from_answer
from stellwerk.providers.script.protocol import ScriptRequest, Written
from stellwerk.providers.script.sentences import pace_of
from stellwerk.providers.script.topic import read_topic

SECONDS_PER_SCENE = 9
FORMAT: ResponseFormatJSONSchema = {
    "type": "json_schema",
    "json_schema": {"name": "video_script", "strict": True, "schema": SCHEMA},
}
INSTRUCTIONS = """\
You write scripts for narrated videos made of still slides.
Write the narration in the language asked for, to be spoken aloud: full sentences, no markup, no
emoji, no stage directions. Say nothing twice. State only what is well established; where you are
not sure, leave it out. The first scene opens the video and names the topic; the last one closes it.
A topic of the form "Top N ..." gets exactly N scenes between them, headed "1. ...", "2. ..." and
so on. Headings have at most six words. Each scene has zero to four bullets of at most six words.
Keep to the number of characters asked for: it decides how long the video is."""


class OpenAiWriter:
    """Writes in every language that the voice speaks."""

    def __init__(self, client: openai.OpenAI, *, model: str) -> None:
        self._client = client
        self._model = model

    def refuse_unfillable(self, request: ScriptRequest, languages: Collection[str]) -> None:
        """See `ScriptWriter.refuse_unfillable`; any length can be filled."""
        read_topic(request.topic)
        spoken_language(request.language, languages)

    def write(self, request: ScriptRequest) -> Written:
        """See `ScriptWriter.write`; an unusable answer is ProviderUnavailable: ask again."""
        with openai_errors():
            completion = self._client.chat.completions.create(
                model=self._model,
                messages=[
                    {"role": "system", "content": INSTRUCTIONS},
                    {"role": "user", "content": _order(request)},
                ],
                response_format=FORMAT,
            )
        return Written(script_from_answer(_answer(completion), request), _usage(completion))


def _order(request: ScriptRequest) -> str:
    pace = pace_of(request.language.partition("-")[0].lower())
    scenes = max(3, round(request.target_duration_s / SECONDS_PER_SCENE))
    return json.dumps(
        {
            "topic": request.topic,
            "style": request.style.value,
            "language": request.language,
            "keywords": list(request.keywords),
            "scenes": scenes,
            "characters_of_narration": round(
                request.target_duration_s / pace.s_per_character * 0.85
            ),
        },
        ensure_ascii=False,
    )


def _answer(completion: ChatCompletion) -> str:
    """The text of the answer; raises ProviderRejected where the model refused."""
    if not completion.choices:
        raise ProviderUnavailable("OpenAI sent no answer.")
    choice = completion.choices[0]
    if choice.message.refusal or choice.finish_reason == "content_filter":
        raise ProviderRejected(
            f"OpenAI declined this topic. {choice.message.refusal or ''}".strip()
        )
    if choice.finish_reason == "length" or not choice.message.content:
        raise ProviderUnavailable("OpenAI's answer is incomplete.")
    return choice.message.content


def _usage(completion: ChatCompletion) -> tuple[Usage, ...]:
    if completion.usage is None:
        return ()
    return (
        Usage("openai", "input_token", Decimal(completion.usage.prompt_tokens)),
        Usage("openai", "output_token", Decimal(completion.usage.completion_tokens)),
    )
