"""A narration of tones and pictures of one colour each."""

from pathlib import Path

import pytest
from PIL import Image

from media_files import tone
from stellwerk.providers.voice.narration import Narration, assemble
from stellwerk.providers.voice.protocol import Speech
from stellwerk.providers.voice.wav import duration_s

COLOURS = ((200, 30, 30), (30, 180, 30), (40, 40, 220))


@pytest.fixture(scope="module")
def narration(tmp_path_factory: pytest.TempPathFactory) -> Narration:
    folder = tmp_path_factory.mktemp("narration")
    paths = [tone(folder / f"tone-{n}.wav", duration_s=1.0 + n / 2) for n in range(3)]
    speeches = [Speech(path, duration_s(path), 10) for path in paths]
    return assemble(speeches, folder / "narration.wav")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"scene-{number:02}.png" for number in range(1, 4)]
    for path, colour in zip(paths, COLOURS, strict=True):
        Image.new("RGB", (1280, 720), colour).save(path)
    return paths
