"""A finding of `stellwerk doctor`, and the machine it looks at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from stellwerk.errors import StackError, StellwerkError
from stellwerk.settings import Settings
from stellwerk.stack.home import Home
from stellwerk.stack.lock import Holder, holder_of
from stellwerk.stack.plan import joined_settings


class Grade(StrEnum):
    """How bad it is."""

    OK = "ok"
    OFF = "off"  # not running or not configured, and not needed to be
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing examined."""

    name: str
    grade: Grade
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: `joined` has the URLs of the running or configured backends."""

    given: Settings
    home: Home
    holder: Holder | None
    joined: Settings | None


Check = Callable[[Patient], Iterator[Finding]]


def patient(given: Settings) -> Patient:
    """Find out what runs, without starting anything."""
    home = Home(given.home.absolute())
    try:
        joined = joined_settings(given)
    except StackError:
        joined = None
    return Patient(given, home, holder_of(home.lock_file), joined)


def examine(who: Patient, checks: tuple[Check, ...]) -> Iterator[Finding]:
    """Every check's findings; a check that cannot go on is a finding itself."""
    for check in checks:
        try:
            yield from check(who)
        except StellwerkError as exc:
            name = check.__name__.removeprefix("check_")
            yield Finding(name, Grade.BROKEN, exc.message)


def verdict(
    name: str, message: str, *, good: bool, remedy: str = "", otherwise: Grade = Grade.BROKEN
) -> Finding:
    """A finding that is either fine or of the grade `otherwise`, then with its remedy."""
    return Finding(name, Grade.OK, message) if good else Finding(name, otherwise, message, remedy)
