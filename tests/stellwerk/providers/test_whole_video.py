"""From a topic to a finished video, all on this machine."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from media_files import asked
from stellwerk.providers.images.pillow import PillowIllustrator
from stellwerk.providers.images.protocol import slides_of
from stellwerk.providers.images.thumbnail import draw_thumbnail
from stellwerk.providers.script.template import TemplateWriter
from stellwerk.providers.video.captions import captions_of, write_srt
from stellwerk.providers.video.probe import length_s, mean_volume_db, streams
from stellwerk.providers.video.quality import measure
from stellwerk.providers.video.render import render_video
from stellwerk.providers.voice.local import LocalVoice
from stellwerk.providers.voice.narration import assemble
from stellwerk.providers.voice.protocol import Passage


@pytest.mark.parametrize("language", ["en", "de"])
def test_thirty_seconds_are_made_audible_and_in_time(
    tmp_path: Path, language: str, record_property: Callable[[str, object], None]
) -> None:
    began = time.perf_counter()
    script = TemplateWriter().write(asked(language=language)).script
    passages = [
        Passage(scene.narration, tmp_path / f"{number}.wav")
        for number, scene in enumerate(script.scenes)
    ]
    spoken = LocalVoice().speak(passages, language=language)
    narration = assemble(spoken.speeches, tmp_path / "narration.wav", target_s=30)
    pictures = [
        PillowIllustrator().draw(slide, tmp_path / f"scene-{slide.number:02}.png").path
        for slide in slides_of(script)
    ]
    video = render_video(pictures, narration, tmp_path / "video.mp4").path
    captions = captions_of(script, narration.speech)
    write_srt(captions, tmp_path / "captions.srt")
    draw_thumbnail(script.title, tmp_path / "thumbnail.jpg", style=script.style)
    record_property("seconds", round(time.perf_counter() - began, 1))

    assert 29 <= length_s(video) <= 31
    assert [stream.codec for stream in streams(video)] == ["h264", "aac"]
    assert mean_volume_db(video) > -30
    assert 0.9 < narration.tempo < 1.1
    assert measure(video, script=script, captions=captions).score > 0.9
