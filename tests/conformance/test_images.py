"""What every illustrator must do, whoever draws."""

from pathlib import Path

import openai
import pytest
from PIL import Image

from aimock_fixtures import BROKEN_PICTURE, REFUSED, TOO_BUSY
from stellwerk.configuration.entries import PRICES_EUR
from stellwerk.errors import ProviderRejected, ProviderUnavailable
from stellwerk.providers.images.openai import OpenAiIllustrator
from stellwerk.providers.images.pillow import PillowIllustrator
from stellwerk.providers.images.protocol import Illustrator, Slide
from stellwerk.providers.pricing import price
from stellwerk.providers.script.protocol import Style

pytestmark = pytest.mark.xdist_group("aimock")  # so that one is started, not one a process
MODEL = "gpt-image-1"
MANY_COLOURS = 200


@pytest.fixture(params=["pillow", "openai"])
def illustrator(request: pytest.FixtureRequest) -> Illustrator:
    if request.param == "pillow":
        return PillowIllustrator()
    return OpenAiIllustrator(request.getfixturevalue("openai_at_aimock"), model=MODEL)


@pytest.fixture
def openai_illustrator(openai_at_aimock: openai.OpenAI) -> OpenAiIllustrator:
    return OpenAiIllustrator(openai_at_aimock, model=MODEL)


def _slide(heading: str = "1. Weichen", *, number: int = 2, style: Style = Style.NEWS) -> Slide:
    return Slide("Fünf Fakten", heading, ("Größer, schöner", "„Süß“"), style, number, 7)


@pytest.mark.parametrize("style", list(Style))
def test_every_style_becomes_a_picture_of_the_right_size(
    illustrator: Illustrator, tmp_path: Path, style: Style
) -> None:
    drawn = illustrator.draw(_slide(style=style), tmp_path / "scene-02.png")
    with Image.open(drawn.path) as picture:
        assert picture.format == "PNG"
        assert picture.size == (1280, 720)
        assert len(picture.convert("RGB").getcolors(maxcolors=2**24) or []) > MANY_COLOURS


def test_different_scenes_look_different(illustrator: Illustrator, tmp_path: Path) -> None:
    one = illustrator.draw(_slide("1. Weichen", number=2), tmp_path / "1.png").path
    two = illustrator.draw(_slide("2. Signale", number=3), tmp_path / "2.png").path
    assert one.read_bytes() != two.read_bytes()


def test_a_picture_has_a_price(illustrator: Illustrator, tmp_path: Path) -> None:
    usage = illustrator.draw(_slide(), tmp_path / "1.png").usage
    assert [line.quantity for line in usage] == [1]
    assert price(usage, PRICES_EUR.parse(PRICES_EUR.default)) > 0


def test_too_many_requests_are_tried_again_later(
    openai_illustrator: OpenAiIllustrator, tmp_path: Path
) -> None:
    with pytest.raises(ProviderUnavailable):
        openai_illustrator.draw(_slide(TOO_BUSY), tmp_path / "1.png")


def test_a_refused_picture_is_final(openai_illustrator: OpenAiIllustrator, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        openai_illustrator.draw(_slide(REFUSED), tmp_path / "1.png")


def test_an_answer_that_is_no_picture_may_be_better_next_time(
    openai_illustrator: OpenAiIllustrator, tmp_path: Path
) -> None:
    with pytest.raises(ProviderUnavailable):
        openai_illustrator.draw(_slide(BROKEN_PICTURE), tmp_path / "1.png")
