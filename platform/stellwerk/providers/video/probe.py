"""What a media file holds, as ffmpeg tells it on its standard error."""

import re
from dataclasses import dataclass
from pathlib import Path

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.ffmpeg import run_ffmpeg

LISTENING_S = 600.0

# `Duration: 00:00:29.98, ...` and `Stream #0:0...: Video: h264 (High) (avc1 / ...), ...`
_DURATION = re.compile(r"Duration: (?P<h>\d+):(?P<m>\d+):(?P<s>[\d.]+)")
_STREAM = re.compile(
    r"^ *Stream #0:\d+.*?: (?P<kind>Video|Audio|Subtitle): "
    r"(?P<codec>\w+)(?: \((?P<profile>[^)/]+)\))?(?P<rest>.*)$",
    re.MULTILINE,
)
_SIZE = re.compile(r"\b(?P<width>\d{2,5})x(?P<height>\d{2,5})\b")
_RATE = re.compile(r"(?P<hertz>\d+) Hz")


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream: `kind` is video, audio or subtitle; sizes are 0 where they mean nothing."""

    kind: str
    codec: str
    profile: str
    duration_s: float
    width_px: int = 0
    height_px: int = 0
    sample_rate_hz: int = 0


def streams(path: Path) -> list[StreamInfo]:
    """The streams of a media file; raises ProviderUnavailable where it cannot be played."""
    told = run_ffmpeg(
        ["-i", str(path), "-c", "copy", "-f", "null", "-"], timeout_s=LISTENING_S
    ).stderr.partition("Output #0")[0]
    whole_s = _seconds(_DURATION.search(told))
    return [_stream_info(found, whole_s) for found in _STREAM.finditer(told)]


def length_s(path: Path) -> float:
    """Length of the longest stream in seconds."""
    return max((stream.duration_s for stream in streams(path)), default=0.0)


def mean_volume_db(path: Path) -> float:
    """Mean volume in dB below full scale, by ffmpeg's volumedetect; -inf for silence."""
    heard = run_ffmpeg(
        ["-i", str(path), "-vn", "-af", "volumedetect", "-f", "null", "-"], timeout_s=LISTENING_S
    )
    found = re.findall(r"mean_volume: (-?(?:inf|[\d.]+)) dB", heard.stderr)
    if not found:
        raise ProviderUnavailable(f"{path.name} has no sound to measure.")
    return float(found[-1])


def _stream_info(found: re.Match[str], whole_s: float) -> StreamInfo:
    kind, codec, profile, rest = (
        found["kind"].lower(),
        found["codec"],
        found["profile"],
        found["rest"],
    )
    size = _SIZE.search(rest) if kind == "video" else None
    rate = _RATE.search(rest) if kind == "audio" else None
    return StreamInfo(
        kind=kind,
        codec=codec,
        profile=profile or "",
        duration_s=whole_s,
        width_px=int(size["width"]) if size else 0,
        height_px=int(size["height"]) if size else 0,
        sample_rate_hz=int(rate["hertz"]) if rate else 0,
    )


def _seconds(found: re.Match[str] | None) -> float:
    if not found:
        return 0.0
    return int(found["h"]) * 3600 + int(found["m"]) * 60 + float(found["s"])
