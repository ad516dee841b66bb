"""What a media file holds, read with FFmpeg's libraries (PyAV) and ffmpeg itself."""

import re
from dataclasses import dataclass
from pathlib import Path

import av

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.ffmpeg import run_ffmpeg

LISTENING_S = 600.0


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
    """The streams of a media file; raises ProviderUnavailable where it cannot be opened."""
    try:
        with av.open(str(path)) as container:
            whole_s = (container.duration or 0) / av.time_base
            return [_stream_info(stream, whole_s) for stream in container.streams]
    except (av.FFmpegError, OSError) as exc:
        raise ProviderUnavailable(f"{path.name} is no media file that can be played.") from exc


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


def _stream_info(stream: av.stream.Stream, whole_s: float) -> StreamInfo:
    context = stream.codec_context
    own_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0
    return StreamInfo(
        kind=stream.type,
        codec=context.name,
        profile=str(stream.profile or ""),
        duration_s=own_s or whole_s,
        width_px=getattr(context, "width", 0) if stream.type == "video" else 0,
        height_px=getattr(context, "height", 0) if stream.type == "video" else 0,
        sample_rate_hz=getattr(context, "sample_rate", 0) if stream.type == "audio" else 0,
    )
