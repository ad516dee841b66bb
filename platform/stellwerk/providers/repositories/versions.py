"""Versions of modules, as PEP 440 or Semantic Versioning 2.0 write them, in one order.

What both can read is read by PEP 440: `1.0.0-1` is the first release after 1.0.0.
"""

import re
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from stellwerk.module_names import is_name

LONGEST = 64  # characters
_LETTERS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]*")  # also of a file's name
_SEMVER = re.compile(
    r"(?P<core>\d+\.\d+\.\d+)(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?",
    re.ASCII,
)
_PHASES = {"a": "alpha", "b": "beta", "rc": "rc"}
_DEVELOPMENT, _BEFORE, _RELEASED = range(3)
_NONE, _LAST = -1, float("inf")

# Of a part of a pre-release: numbers by size and before words, as 11.4.3 of semver.org has it.
Part = tuple[int, int, str]


@dataclass(frozen=True, slots=True, order=True)
class Ordered:
    """A version as it is compared: its members in their order."""

    epoch: int
    release: tuple[int, ...]
    stage: int
    parts: tuple[Part, ...] = ()
    post: int = _NONE
    dev: float = _LAST
    local: str = ""


@dataclass(frozen=True, slots=True)
class Dependency:
    """Another module that one needs, in any of a range of versions."""

    name: str
    versions: SpecifierSet

    def admits(self, version: str) -> bool:
        """Whether that version will do; pre-releases do, where the range has them."""
        return self.versions.contains(_nearest(version), prereleases=True)


def is_version(text: str) -> bool:
    """Whether `ordered` takes it, and a file can be named so."""
    try:
        ordered(text)
    except ValueError:
        return False
    return len(text) <= LONGEST and _LETTERS.fullmatch(text) is not None


def ordered(text: str) -> Ordered:
    """What sorts versions by age; raises ValueError for what is none."""
    try:
        version = Version(text)
    except InvalidVersion:
        return _semver(text)
    parts: tuple[Part, ...] = ()
    if version.pre:
        phase, number = version.pre
        parts = (_part(_PHASES[phase]), _part(str(number)))
    stage = _BEFORE if parts else _RELEASED
    if version.dev is not None and not parts and version.post is None:
        stage = _DEVELOPMENT
    return Ordered(
        version.epoch,
        _trimmed(version.release),
        stage,
        parts,
        _NONE if version.post is None else version.post,
        _LAST if version.dev is None else version.dev,
        version.local or "",
    )


def dependency(text: str) -> Dependency:
    """`clock` or `clock>=1.0,<2`; raises ValueError for anything else."""
    try:
        found = Requirement(text)
    except InvalidRequirement as exc:
        raise ValueError(f"{text!r} is not a name with a range of versions") from exc
    if found.url or found.extras or found.marker or not is_name(found.name):
        raise ValueError(f"{text!r} is not a name with a range of versions")
    return Dependency(found.name, found.specifier)


def _semver(text: str) -> Ordered:
    found = _SEMVER.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a version")
    parts = tuple(_part(part) for part in (found["pre"] or "").split(".") if part)
    release = _trimmed(tuple(map(int, found["core"].split("."))))
    return Ordered(0, release, _BEFORE if parts else _RELEASED, parts)


def _part(text: str) -> Part:
    return (0, int(text), "") if text.isdecimal() else (1, 0, text)


def _trimmed(release: tuple[int, ...]) -> tuple[int, ...]:
    """1.0 and 1.0.0 are the same."""
    while release and release[-1] == 0:
        release = release[:-1]
    return release


def _nearest(text: str) -> Version:
    """What PEP 440's ranges can compare: a pre-release it cannot read is the first of all."""
    try:
        return Version(text)
    except InvalidVersion:
        found = _SEMVER.fullmatch(text)
        if not found:
            raise
        return Version(found["core"] + (".dev0" if found["pre"] else ""))
