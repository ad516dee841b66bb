"""A narration of tones and pictures of one colour each."""

from pathlib import Path

import pytest
from PIL import Image

from media_files import tone
from stellwerk.providers.voice.narration import Narration, assemble
from stellwerk.providers.voice.protocol import Speech
from stellwerk.providers.voice.wav import duration_s

COLOURS = ((200, 30, 30), (30, 180, 30), (40, 40, 220))


@pytest.fixture
def narration(tmp_path: Path) -> Narration:
    paths = [tone(tmp_path / f"tone-{n}.wav", duration_s=1.5 + n) for n in range(3)]
    speeches = [Speech(path, duration_s(path), 10) for path in paths]
    return assemble(speeches, tmp_path / "narration.wav")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"scene-{number:02}.png" for number in range(1, 4)]
    for path, colour in zip(paths, COLOURS, strict=True):
        Image.new("RGB", (1280, 720), colour).save(path)
    return paths
