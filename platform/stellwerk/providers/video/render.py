"""Slides and a narration rendered to an MP4: H.264 High and AAC, 1280x720 at 25 frames a second.

Each scene becomes a segment of its own, which fades over from the picture before, and the
segments are joined without encoding them again. So memory does not grow with the length.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path

from stellwerk.providers.ffmpeg import run_ffmpeg
from stellwerk.providers.images.protocol import HEIGHT_PX, WIDTH_PX
from stellwerk.providers.pricing import Usage
from stellwerk.providers.subprocesses import never
from stellwerk.providers.video.probe import length_s
from stellwerk.providers.voice.narration import Narration

FRAMES_PER_S = 25
FADE_FRAMES = 15
SEGMENTS_SHARE = 0.9  # of the progress; the rest is joining them
ENCODING_START_S = 120.0  # time limit of one ffmpeg run, plus ENCODING_FACTOR times the length
ENCODING_FACTOR = 5.0
COLOURS = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
H264 = [
    *("-c:v", "libx264", "-profile:v", "high", "-preset", "veryfast", "-tune", "stillimage"),
    *("-crf", "20", "-bf", "0", "-pix_fmt", "yuv420p", "-video_track_timescale", "12800"),
    *COLOURS,
]
AAC = ["-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished video."""

    path: Path
    duration_s: float
    usage: tuple[Usage, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """One scene: its picture, the one it fades over from, and how many frames it stands."""

    picture: Path
    before: Path | None
    frames: int


def unheard(fraction: float) -> None:
    """An `on_progress` that does nothing."""


def render_video(
    pictures: Sequence[Path],
    narration: Narration,
    path: Path,
    *,
    burned_captions: Path | None = None,
    on_progress: Callable[[float], None] = unheard,
    should_stop: Callable[[], bool] = never,
) -> Rendered:
    """Show `pictures[i]` during scene i of `narration` and write the MP4 to `path`.

    `burned_captions` is an SRT file to draw into the picture, which encodes everything twice.
    `on_progress` gets rising fractions up to 1.0. Raises ValueError unless there is one picture
    for each scene, ProviderUnavailable when ffmpeg fails, Stopped when `should_stop` says so.
    """
    segments = _segments(pictures, narration)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".render-") as folder:
        made = _render_segments(segments, Path(folder), on_progress, should_stop)
        run_ffmpeg(
            [*_joined(made, Path(folder)), *_with_sound(narration, burned_captions), str(path)],
            timeout_s=_limit_s(narration.duration_s),
            should_stop=should_stop,
            on_second=lambda done_s: on_progress(
                SEGMENTS_SHARE + (1 - SEGMENTS_SHARE) * min(1.0, done_s / narration.duration_s)
            ),
        )
    on_progress(1.0)
    duration_s = length_s(path)
    used = Decimal(str(round(duration_s, 3)))
    return Rendered(path, duration_s, (Usage("ffmpeg", "second", used),))


def _segments(pictures: Sequence[Path], narration: Narration) -> list[Segment]:
    """Frame counts from times on one clock, so that rounding never adds up."""
    ends = [round(scene.end_s * FRAMES_PER_S) for scene in narration.scenes]
    return [
        Segment(picture, before, max(1, end - start))
        for picture, before, (start, end) in zip(
            pictures, [None, *pictures[:-1]], pairwise([0, *ends]), strict=True
        )
    ]


def _render_segments(
    segments: Sequence[Segment],
    folder: Path,
    on_progress: Callable[[float], None],
    should_stop: Callable[[], bool],
) -> list[Path]:
    all_frames = sum(segment.frames for segment in segments)
    done_frames = 0
    made = []
    for number, segment in enumerate(segments):
        path = folder / f"{number:04}.mp4"
        run_ffmpeg(
            [*_picture_inputs(segment), "-an", *H264, str(path)],
            timeout_s=_limit_s(segment.frames / FRAMES_PER_S),
            should_stop=should_stop,
        )
        done_frames += segment.frames
        on_progress(SEGMENTS_SHARE * done_frames / all_frames)
        made.append(path)
    return made


def _picture_inputs(segment: Segment) -> list[str]:
    if segment.before is None or segment.frames <= FADE_FRAMES:
        graph = f"[0:v]{_still(segment.frames)}[out]"
        return ["-i", str(segment.picture), "-filter_complex", graph, "-map", "[out]"]
    fade = f"xfade=transition=fade:duration={FADE_FRAMES / FRAMES_PER_S}:offset=0"
    graph = (
        f"[0:v]{_still(FADE_FRAMES)}[before];[1:v]{_still(segment.frames)}[after];"
        f"[before][after]{fade}[out]"
    )
    pictures = ["-i", str(segment.before), "-i", str(segment.picture)]
    return [*pictures, "-filter_complex", graph, "-map", "[out]"]


def _still(frames: int) -> str:
    """A filter chain that shows one picture for so many frames; it is decoded only once."""
    return (
        f"scale={WIDTH_PX}:{HEIGHT_PX}:out_color_matrix=bt709:out_range=tv,setsar=1,"
        f"format=yuv420p,loop=loop=-1:size=1,setpts=N/{FRAMES_PER_S}/TB,fps={FRAMES_PER_S},"
        f"trim=end_frame={frames}"
    )


def _joined(segments: Sequence[Path], folder: Path) -> list[str]:
    entries = folder / "segments.txt"
    entries.write_text("".join(f"file {segment.name}\n" for segment in segments))
    return ["-f", "concat", "-safe", "1", "-i", str(entries)]


def _with_sound(narration: Narration, burned_captions: Path | None) -> list[str]:
    video = ["-c:v", "copy"]
    if burned_captions:
        video = [*("-vf", _subtitles(burned_captions)), *H264]
    tracks = ["-i", str(narration.path), "-map", "0:v:0", "-map", "1:a:0"]
    return [*tracks, *video, *AAC, "-movflags", "+faststart"]


def _subtitles(captions: Path) -> str:
    with as_file(files("font_source_sans_pro").joinpath("files")) as fonts:
        look = "FontName=Source Sans Pro,FontSize=18,BorderStyle=1,Outline=1.4,MarginV=30"
        return (
            f"subtitles=filename={_escaped(captions)}:fontsdir={_escaped(fonts)}"
            f":force_style='{look}'"
        )


def _escaped(path: Path) -> str:
    """A path as a filter option: escaped for the option, then for the filter graph."""
    option = "".join(f"\\{letter}" if letter in "\\':" else letter for letter in str(path))
    return "".join(f"\\{letter}" if letter in "\\'[],;" else letter for letter in option)


def _limit_s(length_s: float) -> float:
    return ENCODING_START_S + ENCODING_FACTOR * length_s
