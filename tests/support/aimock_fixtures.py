"""What the outside providers answer in tests: good answers, broken ones, refusals, overload."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from media_files import asked, tone
from stellwerk.providers.script.template import TemplateWriter

INPUT_TOKENS, OUTPUT_TOKENS = 321, 654
TOO_BUSY, REFUSED, BROKEN, SHORT = "Overload", "Refusal", "Gibberish", "Brevity"
BROKEN_PICTURE, SPOKEN_S = "Static", 4.0
RETRY_AFTER_S = 7
ENDPOINTS = ("chat", "image", "elevenlabs-tts")


def provider_fixtures(folder: Path) -> list[dict[str, Any]]:
    """Rules for aimock; words above choose what goes wrong."""
    return [
        *(_when(TOO_BUSY, TOO_BUSY_ANSWER, endpoint=endpoint) for endpoint in ENDPOINTS),
        *(_when(REFUSED, REFUSED_ANSWER, endpoint=endpoint) for endpoint in ENDPOINTS),
        _when(BROKEN, {"content": '{"scenes": "none"}'}, endpoint="chat"),
        _when(SHORT, {"content": json.dumps(_script(scenes=1))}, endpoint="chat"),
        _when(BROKEN_PICTURE, {"image": {"b64Json": "bm8gcGljdHVyZQ=="}}, endpoint="image"),
        {"match": {"endpoint": "chat"}, "response": _script_answer()},
        {"match": {"endpoint": "image"}, "response": {"image": {"b64Json": _picture()}}},
        {"match": {"endpoint": "elevenlabs-tts"}, "response": _sound(folder)},
    ]


TOO_BUSY_ANSWER = {
    "error": {"message": "too many requests", "type": "rate_limit_error"},
    "status": 429,
    "retryAfter": RETRY_AFTER_S,
}
REFUSED_ANSWER = {
    "error": {"message": "against the policy", "type": "invalid_request_error"},
    "status": 400,
}


def _when(word: str, response: dict[str, Any], **match: str) -> dict[str, Any]:
    return {"match": {"userMessage": word, **match}, "response": response}


def _script(scenes: int | None = None) -> dict[str, Any]:
    """A good script in the shape of the schema, with its first sentence said twice."""
    script = TemplateWriter().write(asked()).script
    answered: list[dict[str, Any]] = [
        {"heading": scene.heading, "narration": scene.narration, "bullets": list(scene.bullets)}
        for scene in script.scenes[:scenes]
    ]
    answered[-1]["narration"] += f" {answered[0]['narration']}"
    return {"title": script.title, "description": "About it.", "tags": ["a"], "scenes": answered}


def _script_answer() -> dict[str, Any]:
    usage = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS}
    return {"content": json.dumps(_script()), "usage": usage}


def _picture() -> str:
    data = BytesIO()
    Image.linear_gradient("L").resize((1536, 1024)).convert("RGB").save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def _sound(folder: Path) -> dict[str, Any]:
    mp3 = tone(folder / "tone.mp3", duration_s=SPOKEN_S)
    audio = base64.b64encode(mp3.read_bytes()).decode()
    return {"audio": {"b64Json": audio, "contentType": "audio/mpeg"}}
