"""Pictures by OpenAI, with the slide's text set on them here, where it is spelled right.

See https://platform.openai.com/docs/guides/image-generation.
"""

import base64
import binascii
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import openai
from PIL import Image, ImageOps, UnidentifiedImageError

from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.images.palette import PALETTES
from stellwerk.providers.images.protocol import HEIGHT_PX, WIDTH_PX, Drawn, Slide
from stellwerk.providers.images.slides import write_on
from stellwerk.providers.openai_client import openai_errors
from stellwerk.providers.pricing import Usage
from stellwerk.providers.script.protocol import Style

SIZE = "1536x1024"
SHADE = 0.9  # of the background colour, on the left where the text stands
LOOKS = {
    Style.EDUCATIONAL: "clean, precise illustration, deep blue and teal",
    Style.ENTERTAINING: "lively, playful illustration, violet and gold",
    Style.NEWS: "sober editorial illustration, dark grey with red",
    Style.TUTORIAL: "clear instructional illustration, green tones",
    Style.STORY: "warm, painterly illustration, brown and amber",
}


class OpenAiIllustrator:
    """One generated picture for each slide."""

    def __init__(self, client: openai.OpenAI, *, model: str) -> None:
        self._client = client
        self._model = model

    def draw(self, slide: Slide, path: Path) -> Drawn:
        """See `Illustrator.draw`; takes ten seconds and more."""
        picture = _on_the_right(self._generated(_prompt(slide)), slide.style)
        write_on(picture, slide)
        picture.save(path, "PNG", compress_level=3)
        return Drawn(path, (Usage("openai", "image", Decimal(1)),))

    def _generated(self, prompt: str) -> Image.Image:
        with openai_errors():
            answer = self._client.images.generate(model=self._model, prompt=prompt, size=SIZE, n=1)
        encoded = answer.data[0].b64_json if answer.data else None
        try:
            with Image.open(BytesIO(base64.b64decode(encoded or "", validate=True))) as opened:
                return opened.convert("RGB")
        except (UnidentifiedImageError, binascii.Error, OSError) as exc:
            raise ProviderUnavailable("OpenAI sent no usable picture.") from exc


def _prompt(slide: Slide) -> str:
    points = "; ".join(slide.bullets)
    return (
        f"{LOOKS[slide.style]}. Subject: {slide.heading} ({slide.title}). {points}\n"
        "Main motif on the right half, calm left half. No text, letters, numbers or logos."
    )


def _on_the_right(picture: Image.Image, style: Style) -> Image.Image:
    """The picture in the size of a slide, fading to the style's colour on the left."""
    size = (WIDTH_PX, HEIGHT_PX)
    fitted = ImageOps.fit(picture, size)
    fade = Image.linear_gradient("L").rotate(90).resize(size)
    mask = fade.point(lambda value: value * SHADE)
    fitted.paste(Image.new("RGB", size, PALETTES[style].top), mask=mask)
    return fitted
