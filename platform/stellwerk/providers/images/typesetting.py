"""Text set into a box: the largest size at which it fits, broken into lines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from io import BytesIO

from PIL import ImageDraw, ImageFont

LINE_HEIGHT = 1.22  # times the size


@cache
def _font_data(weight: str) -> bytes:
    """Source Sans Pro (SIL Open Font License), with the letters of all of Europe."""
    font = files("font_source_sans_pro").joinpath("files", f"SourceSansPro-{weight}.ttf")
    with as_file(font) as path:
        return path.read_bytes()


@cache
def typeface(weight: str, size_px: int) -> ImageFont.FreeTypeFont:
    """Source Sans Pro in `weight` (Regular, Semibold, Bold, Black)."""
    return ImageFont.truetype(BytesIO(_font_data(weight)), size_px)


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Lines in one font; `height_px` is that of all of them."""

    lines: tuple[str, ...]
    font: ImageFont.FreeTypeFont
    size_px: int

    @property
    def line_px(self) -> int:
        """Distance from one line to the next."""
        return round(self.size_px * LINE_HEIGHT)

    @property
    def height_px(self) -> int:
        """Height of the block."""
        return self.line_px * len(self.lines)

    def draw(
        self, canvas: ImageDraw.ImageDraw, at: tuple[int, int], colour: tuple[int, int, int]
    ) -> None:
        """Draw with the upper left corner at `at`."""
        left, top = at
        for index, line in enumerate(self.lines):
            canvas.text((left, top + index * self.line_px), line, font=self.font, fill=colour)


def fit_text(
    text: str, weight: str, *, width_px: int, height_px: int, sizes_px: Sequence[int]
) -> TextBlock:
    """The first of `sizes_px` at which `text` fits; the last one, cut short, where none does.

    From the middle size down, a word that is too wide may be broken.
    """
    small_px = sizes_px[len(sizes_px) // 2]
    for size_px in sizes_px:
        font = typeface(weight, size_px)
        block = TextBlock(tuple(_lines(text, font, width_px)), font, size_px)
        whole_words = all(font.getlength(word) <= width_px for word in text.split())
        if block.height_px <= height_px and (whole_words or size_px <= small_px):
            return block
    most = max(1, height_px // block.line_px)
    if len(block.lines) <= most:
        return block
    kept = block.lines[:most]
    return TextBlock((*kept[:-1], f"{kept[-1].rstrip(' ,.')}…"), block.font, block.size_px)


def _lines(text: str, font: ImageFont.FreeTypeFont, width_px: int) -> Iterator[str]:
    line = ""
    for word in text.split():
        for part in _parts(word, font, width_px):
            longer = f"{line} {part}".strip()
            if line and font.getlength(longer) > width_px:
                yield line
                longer = part
            line = longer
    if line:
        yield line


def _parts(word: str, font: ImageFont.FreeTypeFont, width_px: int) -> Iterator[str]:
    """The word itself, or pieces of it where even the smallest size leaves it too wide."""
    rest = word
    while font.getlength(rest) > width_px:
        cut = next(n for n in range(len(rest), 0, -1) if n == 1 or _fits(rest[:n], font, width_px))
        yield rest[:cut] + "-"
        rest = rest[cut:]
    yield rest


def _fits(piece: str, font: ImageFont.FreeTypeFont, width_px: int) -> bool:
    return font.getlength(piece + "-") <= width_px
