"""Draws docs/images/pipeline.png from the artifacts of a video: `draw_pipeline.py FOLDER`."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import imageio_ffmpeg
from PIL import Image, ImageDraw, ImageFont, ImageOps

CARD = (320, 180)
GAP, TOP = 24, 48
INK, PAPER, PALE, ACCENT = "#1d2733", "#ffffff", "#f1f4f8", "#1f7a5c"
STEPS = ("script", "voice", "visuals", "render", "package")
TARGET = Path(__file__).resolve().parents[1] / "docs" / "images" / "pipeline.png"


def main() -> None:
    """Draw the five cards in a row."""
    folder = Path(sys.argv[1])
    cards = [
        _script(folder),
        _extracted(folder, "narration.wav", "showwavespic=s=320x180:colors=#1f7a5c"),
        _fitted(folder / "scene-02.png"),
        _extracted(folder, "video.mp4", "scale=320:180"),
        _fitted(folder / "thumbnail.jpg"),
    ]
    width = len(cards) * (CARD[0] + GAP) + GAP
    sheet = Image.new("RGB", (width, TOP + CARD[1] + GAP), PAPER)
    for index, (name, card) in enumerate(zip(STEPS, cards, strict=True)):
        left = GAP + index * (CARD[0] + GAP)
        sheet.paste(card, (left, TOP))
        draw = ImageDraw.Draw(sheet)
        draw.rectangle((left, TOP, left + CARD[0], TOP + CARD[1]), outline=INK)
        draw.text((left, 12), f"{index + 1}  {name}", fill=ACCENT, font=_font(22))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(TARGET, optimize=True)


def _script(folder: Path) -> Image.Image:
    scenes = json.loads((folder / "script.json").read_text())["scenes"]
    card = Image.new("RGB", CARD, PALE)
    lines = [line for scene in scenes for line in textwrap.wrap(scene["narration"], 40)]
    ImageDraw.Draw(card).text((12, 10), "\n".join(lines[:9]), fill=INK, font=_font(14))
    return card


def _fitted(path: Path) -> Image.Image:
    return ImageOps.fit(Image.open(path).convert("RGB"), CARD)


def _extracted(folder: Path, name: str, picture_filter: str) -> Image.Image:
    """One picture out of a sound or film, by ffmpeg."""
    path = folder / f"{name}.png"
    option = "-filter_complex" if name.endswith(".wav") else "-vf"
    seek = [] if name.endswith(".wav") else ["-ss", "15"]
    source = ["-i", str(folder / name), option, picture_filter, "-frames:v", "1", str(path)]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *seek, *source]
    subprocess.run(command, check=True)  # noqa: S603  our own arguments
    made = Image.open(path).convert("RGBA")
    card = Image.new("RGB", CARD, PALE)
    card.paste(made, (0, 0), made)
    return card


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


if __name__ == "__main__":
    main()
