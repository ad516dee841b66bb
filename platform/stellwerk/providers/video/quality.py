"""How good a finished video is, from what can be measured on it. Nothing here is a constant.

The whole is the weighted geometric mean of its parts: one thing that is badly wrong cannot be
made up for by the others.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.ffmpeg import run_ffmpeg
from stellwerk.providers.script.protocol import Script
from stellwerk.providers.subprocesses import never
from stellwerk.providers.video.captions import Caption
from stellwerk.providers.video.probe import length_s

WEIGHTS = {
    "duration": 0.25,
    "speech_rate": 0.15,
    "loudness": 0.20,
    "captions": 0.15,
    "black": 0.10,
    "silence": 0.15,
    "keywords": 0.10,  # counts only where keywords were asked for
}
# Words a minute that are easy to follow; German words are longer.
EASY_RATES = {"en": (120.0, 185.0), "de": (95.0, 155.0)}
EASY_RATE = (100.0, 180.0)
LOUDNESS_LUFS = -16.0
SILENCE_DB, SILENCE_S = -45, 2.0
BLACK_S, BLACK_LEVEL = 0.3, 0.03
LISTENING_START_S = 120.0


@dataclass(frozen=True, slots=True)
class Part:
    """One measurement: what was measured, and how good that is from 0 to 1."""

    value: float
    score: float
    unit: str


@dataclass(frozen=True, slots=True)
class Quality:
    """The score of a video from 0 to 1, and the parts it comes from."""

    score: float
    parts: Mapping[str, Part]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "score": self.score,
            "parts": {name: asdict(part) for name, part in self.parts.items()},
        }


@dataclass(frozen=True, slots=True)
class Observed:
    """What ffmpeg saw and heard."""

    loudness_lufs: float
    black_s: float
    silent_s: float


def measure(
    video: Path,
    *,
    script: Script,
    captions: Sequence[Caption],
    should_stop: Callable[[], bool] = never,
) -> Quality:
    """Measure `video` against its script and that script's target length.

    Raises ProviderUnavailable where it cannot be read, Stopped when `should_stop` says so.
    """
    whole_s = length_s(video)
    observed = _observe(video, whole_s, should_stop)
    parts = {
        "duration": _duration(whole_s, script.target_duration_s),
        "speech_rate": _speech_rate(script, captions),
        "loudness": _loudness(observed.loudness_lufs),
        "captions": _captions(script, captions, whole_s),
        "black": _stretches(observed.black_s, whole_s, bad_share=0.2),
        "silence": _stretches(observed.silent_s, whole_s, bad_share=0.5),
    }
    if script.keywords:
        parts["keywords"] = _keywords(script)
    whole_weight = sum(WEIGHTS[name] for name in parts)
    score = math.prod(part.score ** (WEIGHTS[name] / whole_weight) for name, part in parts.items())
    return Quality(round(score, 4), parts)


def _observe(video: Path, whole_s: float, should_stop: Callable[[], bool]) -> Observed:
    """One pass over picture and sound."""
    report = run_ffmpeg(
        [
            *("-i", str(video)),
            *("-vf", f"blackdetect=d={BLACK_S}:pix_th={BLACK_LEVEL}"),
            *("-af", f"silencedetect=n={SILENCE_DB}dB:d={SILENCE_S},ebur128=framelog=quiet"),
            *("-f", "null", "-"),
        ],
        timeout_s=LISTENING_START_S + whole_s,
        should_stop=should_stop,
    ).stderr
    loudness = re.findall(r"\bI:\s+(-?(?:inf|[\d.]+)) LUFS", report)
    if not loudness:
        raise ProviderUnavailable(f"{video.name} has no sound to measure.")
    return Observed(
        loudness_lufs=float(loudness[-1]),
        black_s=sum(map(float, re.findall(r"black_duration:([\d.]+)", report))),
        silent_s=sum(map(float, re.findall(r"silence_duration: ([\d.]+)", report))),
    )


def _duration(whole_s: float, target_s: float) -> Part:
    error = abs(whole_s - target_s) / target_s
    return Part(round(whole_s, 3), _falling(error, good=0.02, bad=0.2), "s")


def _speech_rate(script: Script, captions: Sequence[Caption]) -> Part:
    words = sum(len(scene.narration.split()) for scene in script.scenes)
    spoken_s = sum(caption.end_s - caption.start_s for caption in captions)
    rate = words / (spoken_s / 60) if spoken_s else 0.0
    slowest, fastest = EASY_RATES.get(script.language, EASY_RATE)
    off = max(0.0, slowest - rate) / slowest + max(0.0, rate - fastest) / fastest
    return Part(round(rate, 1), _falling(off, good=0.0, bad=0.6), "words/min")


def _loudness(loudness_lufs: float) -> Part:
    off = abs(loudness_lufs - LOUDNESS_LUFS)
    return Part(max(loudness_lufs, -120.0), _falling(off, good=2.0, bad=24.0), "LUFS")


def _captions(script: Script, captions: Sequence[Caption], whole_s: float) -> Part:
    """Share of the spoken words that can be read, in their order, while the video runs."""
    said = [word for scene in script.scenes for word in scene.narration.split()]
    shown = [
        word for caption in captions if caption.start_s < whole_s for word in caption.text.split()
    ]
    share = 1.0 if said == shown else _common(said, shown) / len(said)
    return Part(round(share, 4), _falling(1 - share, good=0.0, bad=1.0), "share")


def _keywords(script: Script) -> Part:
    """Share of the keywords that begin a word of what is said or shown (plurals count, too)."""
    scenes = [" ".join((each.heading, each.narration, *each.bullets)) for each in script.scenes]
    whole = " ".join(scenes).casefold()
    covered = sum(
        1 for each in script.keywords if re.search(rf"(?<!\w){re.escape(each.casefold())}", whole)
    )
    share = covered / len(script.keywords)
    return Part(round(share, 4), _falling(1 - share, good=0.0, bad=1.5), "share")


def _common(said: Sequence[str], shown: Sequence[str]) -> int:
    return sum(block.size for block in SequenceMatcher(a=said, b=shown).get_matching_blocks())


def _stretches(stretch_s: float, whole_s: float, *, bad_share: float) -> Part:
    share = stretch_s / whole_s if whole_s else 1.0
    return Part(round(stretch_s, 3), _falling(share, good=0.02, bad=bad_share), "s")


def _falling(value: float, *, good: float, bad: float) -> float:
    """1 up to `good`, 0 from `bad` on, a straight line between."""
    return round(min(1.0, max(0.0, (bad - value) / (bad - good))), 4)
