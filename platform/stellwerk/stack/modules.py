"""Services of modules that run as processes: they outlive workers and the web, not the stack.

Those that ought to run do so from one `stellwerk up` to its end, and again from the next.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stellwerk.choices import ModuleRuntime
from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.services.place import known_folder
from stellwerk.providers.services.process.keepers import end_keepers, services_in, start_keepers
from stellwerk.providers.services.process.records import Records
from stellwerk.settings import Settings


@dataclass(frozen=True, slots=True)
class ModulesPlace:
    """Where the modules of a stack are, which may begin to be there while it runs."""

    home: Path
    given: Path | None  # where the settings name a folder

    def services(self) -> list[Records]:
        """Those that there are now."""
        folder = known_folder(self.home, self.given)
        return services_in(folder) if folder else []


def place_of(settings: Settings) -> ModulesPlace | None:
    """None where something else than this stack runs modules."""
    if settings.module_runtime is not ModuleRuntime.PROCESS:
        return None
    given = settings.modules_dir
    return ModulesPlace(settings.home.absolute(), given.absolute() if given else None)


def start_services(place: ModulesPlace | None, say: Callable[[str], None]) -> None:
    """Start what ought to run; what cannot is told, and holds nothing else up."""
    if place is None:
        return
    try:
        start_keepers([one for one in place.services() if one.is_wanted()])
    except ProviderUnavailable as exc:
        say(exc.message)


def end_services(
    place: ModulesPlace | None, in_a_hurry: Callable[[], bool], say: Callable[[str], None]
) -> None:
    """End all, without their grace as soon as `in_a_hurry`; they are started by the next `up`.

    What does not end is told.
    """
    if place is None:
        return
    try:
        end_keepers(place.services(), in_a_hurry)
    except ProviderUnavailable as exc:
        say(exc.message)
