"""What a picture shows, and what makes one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stellwerk.providers.pricing import Usage
from stellwerk.providers.script.protocol import Script, Style

WIDTH_PX, HEIGHT_PX = 1280, 720


@dataclass(frozen=True, slots=True)
class Slide:
    """One scene as a picture; the first of a video is its title slide."""

    title: str
    heading: str
    bullets: tuple[str, ...]
    style: Style
    number: int
    count: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished picture and what it used."""

    path: Path
    usage: tuple[Usage, ...]


class Illustrator(Protocol):
    """Makes pictures."""

    def draw(self, slide: Slide, path: Path) -> Drawn:
        """Write `slide` to `path` as a PNG of 1280x720.

        Raises ProviderUnavailable and ProviderRejected.
        """


def slides_of(script: Script) -> tuple[Slide, ...]:
    """One slide for each scene of `script`."""
    return tuple(
        Slide(
            title=script.title,
            heading=scene.heading,
            bullets=scene.bullets,
            style=script.style,
            number=number,
            count=len(script.scenes),
        )
        for number, scene in enumerate(script.scenes, start=1)
    )
