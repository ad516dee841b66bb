"""The colours of each style."""

from dataclasses import dataclass

from stellwerk.providers.script.protocol import Style

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Palette:
    """Background from `top` to `bottom`, lit by `glow`; text contrasts with both by 7:1 or more."""

    top: Colour
    bottom: Colour
    glow: Colour
    accent: Colour
    text: Colour = (255, 255, 255)
    muted: Colour = (205, 214, 228)


PALETTES = {
    Style.EDUCATIONAL: Palette((13, 27, 62), (9, 52, 82), (26, 108, 150), (79, 209, 197)),
    Style.ENTERTAINING: Palette((58, 16, 84), (96, 18, 82), (190, 44, 120), (255, 196, 61)),
    Style.NEWS: Palette((14, 20, 33), (32, 40, 56), (60, 76, 104), (240, 82, 82)),
    Style.TUTORIAL: Palette((10, 42, 40), (16, 62, 50), (34, 122, 92), (163, 230, 53)),
    Style.STORY: Palette((46, 24, 18), (84, 38, 26), (168, 84, 44), (251, 176, 86)),
}
