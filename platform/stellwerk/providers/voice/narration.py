"""The narration of a video: its passages joined, fitted to a length and made equally loud."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.ffmpeg import run_ffmpeg
from stellwerk.providers.subprocesses import never
from stellwerk.providers.voice.fitting import Fit, fit
from stellwerk.providers.voice.protocol import Speech
from stellwerk.providers.voice.wav import duration_s, join

SAMPLE_RATE_HZ = 48_000
LOUDNESS_LUFS = -16.0  # what podcasts and video platforms play at
LOUDNESS_RANGE_LU = 11.0
TRUE_PEAK_DBTP = -1.5
FFMPEG_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, in seconds from the start of the narration."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Narration:
    """A finished narration: 48 kHz mono WAV.

    `speech` tells when each passage is heard; `scenes` divides the whole length among them,
    changing in the middle of each pause. `tempo` is what the voice was sped up by (1.0: not).
    """

    path: Path
    duration_s: float
    speech: tuple[Span, ...]
    scenes: tuple[Span, ...]
    tempo: float

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for a checkpoint."""
        document: dict[str, Any] = TypeAdapter(Narration).dump_python(self, mode="json")
        return document

    @classmethod
    def from_json(cls, document: object) -> "Narration":
        """Read what `to_json` wrote."""
        return TypeAdapter(Narration).validate_python(document)


def assemble(
    speeches: Sequence[Speech],
    path: Path,
    *,
    target_s: float | None = None,
    should_stop: Callable[[], bool] = never,
) -> Narration:
    """Join `speeches` to one file at `path` that lasts `target_s` if pauses and tempo allow.

    Raises ProviderUnavailable when ffmpeg fails, Stopped when `should_stop` says so.
    """
    fitted = fit([speech.duration_s for speech in speeches], target_s)
    joined = path.with_suffix(".joined.wav")
    try:
        join([speech.path for speech in speeches], fitted.silences_s, joined)
        _level(joined, path, tempo=fitted.tempo, should_stop=should_stop)
        whole_s = duration_s(path)
        speech_spans = _spans(speeches, fitted, scale=whole_s / duration_s(joined))
    finally:
        joined.unlink(missing_ok=True)
    scenes = _scenes(speech_spans, whole_s)
    return Narration(path, whole_s, speech_spans, scenes, fitted.tempo)


def _spans(speeches: Sequence[Speech], fitted: Fit, *, scale: float) -> tuple[Span, ...]:
    starts = accumulate(
        (
            speech.duration_s + silence_s
            for speech, silence_s in zip(speeches, fitted.silences_s[1:], strict=True)
        ),
        initial=fitted.silences_s[0],
    )
    return tuple(
        Span(start_s * scale, (start_s + speech.duration_s) * scale)
        for start_s, speech in zip(starts, speeches, strict=False)
    )


def _scenes(speech: Sequence[Span], whole_s: float) -> tuple[Span, ...]:
    pauses = ((before.end_s + after.start_s) / 2 for before, after in pairwise(speech))
    return tuple(Span(start, end) for start, end in pairwise([0.0, *pauses, whole_s]))


def _level(raw: Path, path: Path, *, tempo: float, should_stop: Callable[[], bool]) -> None:
    """Loudness by EBU R 128 in two passes, which keeps the gain constant over the whole file."""
    limit_s = FFMPEG_START_S + duration_s(raw)
    aim = f"loudnorm=I={LOUDNESS_LUFS}:LRA={LOUDNESS_RANGE_LU}:TP={TRUE_PEAK_DBTP}"
    listen = ["-i", str(raw), "-af", f"{aim}:print_format=json", "-f", "null", "-"]
    heard = _measured(run_ffmpeg(listen, timeout_s=limit_s, should_stop=should_stop).stderr)
    known = ":".join(
        f"measured_{name}={heard[key]}"
        for name, key in (
            ("I", "input_i"),
            ("LRA", "input_lra"),
            ("TP", "input_tp"),
            ("thresh", "input_thresh"),
        )
    )
    filters = f"atempo={tempo:.5f},{aim}:{known}:offset={heard['target_offset']}:linear=true"
    shape = ["-ar", str(SAMPLE_RATE_HZ), "-ac", "1", "-c:a", "pcm_s16le"]
    run_ffmpeg(
        ["-i", str(raw), "-af", filters, *shape, str(path)],
        timeout_s=limit_s,
        should_stop=should_stop,
    )


def _measured(stderr: str) -> dict[str, str]:
    """The JSON object with which loudnorm ends its log."""
    report = stderr[stderr.rfind("{") : stderr.rfind("}") + 1]
    try:
        measured: dict[str, str] = json.loads(report)
    except ValueError as exc:
        raise ProviderUnavailable("ffmpeg did not report the narration's loudness.") from exc
    if measured["input_i"] == "-inf":
        raise ProviderUnavailable("The voice was silent.")
    return measured
