"""WAV files: how long one is, and several joined with silence between."""

import wave
from collections.abc import Sequence
from pathlib import Path

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.voice.protocol import Passage, Speech

COPY_FRAMES = 65_536


def duration_s(path: Path) -> float:
    """Length of a PCM WAV file; raises ProviderUnavailable where it is none."""
    try:
        with wave.open(str(path), "rb") as sound:
            return sound.getnframes() / sound.getframerate()
    except (wave.Error, EOFError, FileNotFoundError) as exc:
        raise ProviderUnavailable(f"The voice made no usable sound for {path.name}.") from exc


def speech_from(passage: Passage) -> Speech:
    """Describe a passage that has been spoken; raises ProviderUnavailable if it is silent."""
    spoken_s = duration_s(passage.path)
    if spoken_s == 0:
        raise ProviderUnavailable(f"The voice made no sound for {passage.path.name}.")
    return Speech(passage.path, spoken_s, len(passage.text))


def join(paths: Sequence[Path], silences_s: Sequence[float], to: Path) -> None:
    """Write `paths` one after another, `silences_s[i]` before each and the last one at the end.

    Raises ValueError unless all have one sample format and there is one silence more.
    """
    if len(silences_s) != len(paths) + 1:
        raise ValueError("one silence before each passage and one at the end")
    with wave.open(str(paths[0]), "rb") as first:
        shape = first.getparams()
    with wave.open(str(to), "wb") as out:
        out.setnchannels(shape.nchannels)
        out.setsampwidth(shape.sampwidth)
        out.setframerate(shape.framerate)
        for path, silence_s in zip(paths, silences_s, strict=False):
            _write_silence(out, silence_s)
            _append(out, path)
        _write_silence(out, silences_s[-1])


def _write_silence(out: wave.Wave_write, silence_s: float) -> None:
    frames = round(silence_s * out.getframerate())
    out.writeframes(bytes(frames * out.getnchannels() * out.getsampwidth()))


def _append(out: wave.Wave_write, path: Path) -> None:
    with wave.open(str(path), "rb") as sound:
        shape = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
        if shape != (out.getnchannels(), out.getsampwidth(), out.getframerate()):
            raise ValueError(f"{path.name} has another sample format than the first passage")
        while frames := sound.readframes(COPY_FRAMES):
            out.writeframes(frames)
