"""Backgrounds: a lit gradient and a motif for each style, the same through a whole video."""

from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageDraw, ImageOps

from stellwerk.providers.images.palette import PALETTES, Colour, Palette
from stellwerk.providers.images.protocol import HEIGHT_PX, WIDTH_PX
from stellwerk.providers.script.protocol import Style

SMOOTHING = 2  # motifs are drawn this much larger, so that their edges come out smooth
GLOW_STRENGTH = 0.6
RADIAL_EDGE = 77  # brightness that Pillow's radial gradient has left at its nearest edge
MOTIF_CENTRE_PX = (1060, 340)


@lru_cache(maxsize=8)
def _background(style: Style) -> Image.Image:
    palette = PALETTES[style]
    picture = _gradient(palette)
    overlay = _motif(style, palette)
    picture.paste(overlay, mask=overlay.getchannel("A"))
    return picture


def background(style: Style) -> Image.Image:
    """A fresh 1280x720 picture to draw on."""
    return _background(style).copy()


def _gradient(palette: Palette) -> Image.Image:
    size = (WIDTH_PX, HEIGHT_PX)
    shades = Image.linear_gradient("L").resize(size, Image.Resampling.BICUBIC)
    picture = ImageOps.colorize(shades, palette.top, palette.bottom)
    light = ImageOps.invert(Image.radial_gradient("L")).resize((1500, 1200))
    mask = Image.new("L", size)
    mask.paste(light.point(_glowing), (320, -260))
    picture.paste(Image.new("RGB", size, palette.glow), mask=mask)
    return picture


def _glowing(light: float) -> float:
    """Strength of the glow; nothing at the gradient's edge, which is not yet dark."""
    return max(0.0, light - RADIAL_EDGE) * 255 / (255 - RADIAL_EDGE) * GLOW_STRENGTH


def _motif(style: Style, palette: Palette) -> Image.Image:
    large = (WIDTH_PX * SMOOTHING, HEIGHT_PX * SMOOTHING)
    layer = Image.new("RGBA", large, (*palette.accent, 0))
    MOTIFS[style](ImageDraw.Draw(layer), palette)
    return layer.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.LANCZOS)


def _box(centre: tuple[float, float], radius_px: float) -> tuple[float, float, float, float]:
    x, y = centre
    left, top, right, bottom = x - radius_px, y - radius_px, x + radius_px, y + radius_px
    return (left * SMOOTHING, top * SMOOTHING, right * SMOOTHING, bottom * SMOOTHING)


def _see_through(colour: Colour, share: float) -> tuple[int, int, int, int]:
    return (*colour, round(255 * share))


def _orbits(canvas: ImageDraw.ImageDraw, palette: Palette) -> None:
    for ring, radius_px in enumerate((150, 230, 310, 390)):
        line = _see_through(palette.accent, 0.42 - 0.09 * ring)
        canvas.ellipse(_box(MOTIF_CENTRE_PX, radius_px), outline=line, width=3 * SMOOTHING)
    x, y = MOTIF_CENTRE_PX
    for dx, dy, radius_px in ((150, 0, 13), (-163, 163, 10), (118, -288, 15), (-390, 0, 8)):
        canvas.ellipse(_box((x + dx, y + dy), radius_px), fill=_see_through(palette.accent, 0.9))


def _confetti(canvas: ImageDraw.ImageDraw, palette: Palette) -> None:
    dots = (
        *((905, 120, 16), (1010, 70, 30), (1150, 130, 20), (1225, 60, 12), (960, 220, 9)),
        *((1235, 250, 34), (890, 390, 13), (1190, 420, 12), (930, 540, 24), (1080, 590, 14)),
        *((1215, 560, 22), (860, 270, 7), (1110, 500, 8), (1260, 400, 8), (1040, 180, 8)),
    )
    for index, (x, y, radius_px) in enumerate(dots):
        colour = palette.accent if index % 2 else palette.text
        share = 0.75 if index % 2 else 0.22
        canvas.ellipse(_box((x, y), radius_px), fill=_see_through(colour, share))


def _columns(canvas: ImageDraw.ImageDraw, palette: Palette) -> None:
    heights_px = (150, 230, 190, 320, 280, 400)
    for index, height_px in enumerate(heights_px):
        left, bottom = 860 + index * 66, 590
        area = (left, bottom - height_px, left + 40, bottom)
        share = 0.85 if index == len(heights_px) - 1 else 0.16 + 0.05 * index
        canvas.rectangle(
            tuple(SMOOTHING * edge for edge in area), fill=_see_through(palette.accent, share)
        )


def _stairs(canvas: ImageDraw.ImageDraw, palette: Palette) -> None:
    for step in range(5):
        left, top = 840 + step * 84, 530 - step * 90
        area = (left, top, left + 76, 600)
        canvas.rounded_rectangle(
            tuple(SMOOTHING * edge for edge in area),
            radius=10 * SMOOTHING,
            fill=_see_through(palette.accent, 0.14 + 0.13 * step),
        )


def _hills(canvas: ImageDraw.ImageDraw, palette: Palette) -> None:
    canvas.ellipse(_box((1080, 260), 92), fill=_see_through(palette.accent, 0.9))
    hills = (((900, 1120), 560, 0.16), ((1190, 1160), 600, 0.22), ((1040, 1290), 660, 0.3))
    for centre, radius_px, share in hills:
        canvas.ellipse(_box(centre, radius_px), fill=_see_through(palette.accent, share))


MOTIFS: dict[Style, Callable[[ImageDraw.ImageDraw, Palette], None]] = {
    Style.EDUCATIONAL: _orbits,
    Style.ENTERTAINING: _confetti,
    Style.NEWS: _columns,
    Style.TUTORIAL: _stairs,
    Style.STORY: _hills,
}
