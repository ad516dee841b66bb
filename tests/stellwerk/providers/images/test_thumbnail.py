"""The thumbnail is what video platforms take."""

from pathlib import Path

import pytest
from PIL import Image

from stellwerk.providers.images.thumbnail import draw_thumbnail
from stellwerk.providers.script.protocol import Style


@pytest.mark.parametrize(
    "title", ["Bees", "Warum? " * 40, "Donaudampfschifffahrtsgesellschaft" * 4]
)
def test_any_title_makes_a_jpeg_that_youtube_takes(tmp_path: Path, title: str) -> None:
    path = draw_thumbnail(title, tmp_path / "thumbnail.jpg", style=Style.STORY)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("JPEG", (1280, 720))
    assert path.stat().st_size < 2_000_000


def test_a_picture_may_stand_behind_the_title(tmp_path: Path) -> None:
    behind = tmp_path / "behind.png"
    Image.new("RGB", (600, 600), (255, 0, 0)).save(behind)
    path = draw_thumbnail("Bees", tmp_path / "t.jpg", style=Style.NEWS, picture=behind)
    with Image.open(path) as picture:
        red, green, blue = picture.convert("RGB").getpixel((1200, 40))  # type: ignore[misc]  # RGB gives three
    assert red > 80 > max(green, blue)
