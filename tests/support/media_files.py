"""Small real media files, made by ffmpeg, and requests to make more."""

from pathlib import Path

from stellwerk.providers.ffmpeg import run_ffmpeg
from stellwerk.providers.script.protocol import ScriptRequest, Style


def tone(path: Path, *, duration_s: float, volume_db: float = -20.0) -> Path:
    """A sine tone; the suffix decides the format (.mp3, .wav)."""
    source = f"sine=frequency=300:duration={duration_s}:sample_rate=44100"
    run_ffmpeg(
        ["-f", "lavfi", "-i", source, "-af", f"volume={volume_db + 18}dB", "-ac", "1", str(path)],
        timeout_s=240,
    )
    return path


def asked(
    topic: str = "Top 5 facts about railway signal boxes",
    *,
    style: Style = Style.EDUCATIONAL,
    language: str = "en",
    target_duration_s: float = 30,
    keywords: tuple[str, ...] = (),
) -> ScriptRequest:
    """A request for a script, with the demo's topic unless told otherwise."""
    return ScriptRequest(topic, style, language, target_duration_s, keywords)
