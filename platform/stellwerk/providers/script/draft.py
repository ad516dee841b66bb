"""A scene before it is known how much of it is said."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draft:
    """Sentences are taken from the front; a scene that is taken at all takes `least` of them.

    What is `core` is told in full before anything else is added. A `frame` opens or closes the
    video; with fewer than two points between, it says only the first `alone` of its sentences,
    because the others speak of several points.
    """

    heading: str
    bullets: tuple[str, ...]
    says: tuple[str, ...]
    least: int = 1
    obligatory: bool = False
    core: bool = False
    frame: bool = False
    alone: int = 1
    keywords: tuple[str, ...] = ()
