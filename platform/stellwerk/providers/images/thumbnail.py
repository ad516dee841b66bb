"""The thumbnail of a video: its title, large enough to read on a telephone."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from stellwerk.providers.images.background import background
from stellwerk.providers.images.palette import PALETTES
from stellwerk.providers.images.protocol import HEIGHT_PX, WIDTH_PX
from stellwerk.providers.images.typesetting import fit_text
from stellwerk.providers.script.protocol import Style

SIZES_PX = (148, 132, 118, 104, 92, 80, 68, 56, 44, 34)
MARGIN_PX = 70
DIMMED = 0.45
JPEG_QUALITY = 88


def draw_thumbnail(title: str, path: Path, *, style: Style, picture: Path | None = None) -> Path:
    """Write a JPEG of 1280x720 to `path`, on `picture` where one is given (without text on it).

    YouTube takes thumbnails of 1280x720 up to 2 MB.
    """
    palette = PALETTES[style]
    canvas_image = _dimmed(picture) if picture else background(style)
    canvas = ImageDraw.Draw(canvas_image)
    block = fit_text(
        title, "Black", width_px=WIDTH_PX - 2 * MARGIN_PX, height_px=560, sizes_px=SIZES_PX
    )
    top = (HEIGHT_PX - block.height_px) // 2
    canvas.rectangle((0, 0, 22, HEIGHT_PX), fill=palette.accent)
    shadow = (4, 6)
    block.draw(canvas, (MARGIN_PX + shadow[0], top + shadow[1]), (0, 0, 0))
    block.draw(canvas, (MARGIN_PX, top), palette.text)
    canvas_image.save(path, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return path


def _dimmed(picture: Path) -> Image.Image:
    with Image.open(picture) as opened:
        fitted = ImageOps.fit(opened.convert("RGB"), (WIDTH_PX, HEIGHT_PX))
    return ImageEnhance.Brightness(fitted).enhance(DIMMED)
