"""What stands on a slide: heading, bullets, number, progress. Works on any background."""

import re

from PIL import Image, ImageDraw

from stellwerk.providers.images.palette import PALETTES, Palette
from stellwerk.providers.images.protocol import HEIGHT_PX, WIDTH_PX, Slide
from stellwerk.providers.images.typesetting import TextBlock, fit_text, typeface

MARGIN_PX = 88
TEXT_WIDTH_PX = 740
HEADING_SIZES_PX = (76, 70, 64, 58, 52, 46, 40, 34)
TITLE_SIZES_PX = (96, 88, 80, 72, 64, 56, 48, 40, 34, 28)
BULLET_SIZES_PX = (40, 36, 32, 28, 24)
MOST_BULLETS = 5
_NUMBERED = re.compile(r"(\d{1,3})\. (.+)")


def write_on(picture: Image.Image, slide: Slide) -> None:
    """Set the text of `slide` on `picture`."""
    canvas = ImageDraw.Draw(picture)
    palette = PALETTES[slide.style]
    if slide.number == 1:
        _write_title(canvas, slide, palette)
    else:
        _write_scene(canvas, slide, palette)
    _draw_progress(canvas, slide, palette)


def _write_title(canvas: ImageDraw.ImageDraw, slide: Slide, palette: Palette) -> None:
    block = fit_text(
        slide.heading, "Black", width_px=TEXT_WIDTH_PX, height_px=430, sizes_px=TITLE_SIZES_PX
    )
    top = (HEIGHT_PX - block.height_px) // 2 - 20
    _accent_bar(canvas, (MARGIN_PX, top - 34), 112, palette)
    block.draw(canvas, (MARGIN_PX, top), palette.text)


def _write_scene(canvas: ImageDraw.ImageDraw, slide: Slide, palette: Palette) -> None:
    _write_line(canvas, slide.title, (MARGIN_PX, 58), palette)
    numbered = _NUMBERED.fullmatch(slide.heading)
    if numbered:
        _write_numeral(canvas, numbered[1], palette)
    heading = fit_text(
        numbered[2] if numbered else slide.heading,
        "Bold",
        width_px=TEXT_WIDTH_PX,
        height_px=200,
        sizes_px=HEADING_SIZES_PX,
    )
    bullets = _bullet_blocks(slide)
    content_px = heading.height_px + 44 + sum(block.height_px + 18 for block in bullets)
    top = max(150, (HEIGHT_PX - content_px) // 2)
    _accent_bar(canvas, (MARGIN_PX, top - 26), 72, palette)
    heading.draw(canvas, (MARGIN_PX, top), palette.text)
    _write_bullets(canvas, bullets, top + heading.height_px + 36, palette)


def _bullet_blocks(slide: Slide) -> list[TextBlock]:
    lines = [text for text in slide.bullets if text.strip()][:MOST_BULLETS]
    room_px = 300 // max(1, len(lines))
    blocks = [
        fit_text(
            _without_number(text),
            "Regular",
            width_px=TEXT_WIDTH_PX - 44,
            height_px=room_px,
            sizes_px=BULLET_SIZES_PX,
        )
        for text in lines
    ]
    smallest = min((block.size_px for block in blocks), default=0)
    return [
        fit_text(
            _without_number(text),
            "Regular",
            width_px=TEXT_WIDTH_PX - 44,
            height_px=room_px,
            sizes_px=(smallest,),
        )
        for text in lines
    ]


def _without_number(text: str) -> str:
    numbered = _NUMBERED.fullmatch(text)
    return numbered[2] if numbered else text


def _write_bullets(
    canvas: ImageDraw.ImageDraw, blocks: list[TextBlock], top: int, palette: Palette
) -> None:
    for block in blocks:
        middle = top + block.line_px // 2
        canvas.rounded_rectangle(
            (MARGIN_PX + 2, middle - 7, MARGIN_PX + 18, middle + 9), radius=4, fill=palette.accent
        )
        block.draw(canvas, (MARGIN_PX + 44, top), palette.muted)
        top += block.height_px + 18


def _write_numeral(canvas: ImageDraw.ImageDraw, numeral: str, palette: Palette) -> None:
    font = typeface("Black", 300)
    canvas.text((1060, 345), numeral, font=font, fill=palette.text, anchor="mm")


def _write_line(
    canvas: ImageDraw.ImageDraw, text: str, at: tuple[int, int], palette: Palette
) -> None:
    line = fit_text(text, "Semibold", width_px=900, height_px=40, sizes_px=(26, 22))
    line.draw(canvas, at, palette.accent)


def _accent_bar(
    canvas: ImageDraw.ImageDraw, at: tuple[int, int], width_px: int, palette: Palette
) -> None:
    left, top = at
    canvas.rounded_rectangle((left, top, left + width_px, top + 8), radius=4, fill=palette.accent)


def _draw_progress(canvas: ImageDraw.ImageDraw, slide: Slide, palette: Palette) -> None:
    """How far the video is, along the lower edge, and the same as numbers."""
    top, width_px = HEIGHT_PX - 46, WIDTH_PX - 2 * MARGIN_PX - 90
    done_px = round(width_px * slide.number / slide.count)
    rail = tuple(
        (colour + shade) // 2 for colour, shade in zip(palette.bottom, palette.muted, strict=True)
    )
    canvas.rounded_rectangle((MARGIN_PX, top, MARGIN_PX + width_px, top + 6), radius=3, fill=rail)
    canvas.rounded_rectangle(
        (MARGIN_PX, top, MARGIN_PX + max(done_px, 8), top + 6), radius=3, fill=palette.accent
    )
    canvas.text(
        (WIDTH_PX - MARGIN_PX, top + 3),
        f"{slide.number} / {slide.count}",
        font=typeface("Semibold", 24),
        fill=palette.muted,
        anchor="rm",
    )
