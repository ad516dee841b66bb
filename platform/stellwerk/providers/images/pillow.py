"""Slides drawn on this machine with Pillow."""

from decimal import Decimal
from pathlib import Path

from stellwerk.providers.images.protocol import Drawn, Slide
from stellwerk.providers.pricing import Usage


class PillowIllustrator:
    """Draws slides: heading, bullets and progress on the background of the style."""

    def draw(self, slide: Slide, path: Path) -> Drawn:
        """See `Illustrator.draw`; takes about 0.1 s."""
        # Pillow, in the process that draws and in no other
        from stellwerk.providers.images.background import background  # noqa: PLC0415  see above
        from stellwerk.providers.images.slides import write_on  # noqa: PLC0415  see above

        picture = background(slide.style)
        write_on(picture, slide)
        picture.save(path, "PNG", compress_level=3)
        return Drawn(path, (Usage("pillow", "image", Decimal(1)),))
