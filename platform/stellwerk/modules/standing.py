"""Whether modules are well, for those who look after the platform."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from stellwerk.errors import ProviderError
from stellwerk.modules.states import InstanceStatus
from stellwerk.providers.gateway.protocol import Gateway

_NUMBERS = text("SELECT status, count(*) AS number FROM module_instances GROUP BY status")


@dataclass(frozen=True, slots=True)
class Standing:
    """All modules in one sentence; `is_well` where every one does what it ought to."""

    message: str
    is_well: bool


def numbers(connection: Connection) -> Mapping[str, int]:
    """How many instances there are of each status, as they were last seen."""
    return {row.status: row.number for row in connection.execute(_NUMBERS)}


def standing(
    present: Mapping[str, int], require_runtime: Callable[[], object], gateway: Gateway
) -> Standing | None:
    """How those are; None where nothing is installed. `require_runtime` raises ProviderError."""
    if not present:
        return None
    ill = present.get(InstanceStatus.ERROR, 0)
    wrong = [f"{ill} of {sum(present.values())} instances in error"] if ill else []
    wrong += _asked("the runtime", require_runtime)
    wrong += _asked("the gateway", gateway.routes)
    if wrong:
        return Standing(f"{'; '.join(wrong)}.", is_well=False)
    told = (f"{number} {status}" for status, number in sorted(present.items()))
    return Standing(f"{', '.join(told)}.", is_well=True)


def _asked(name: str, question: Callable[[], object]) -> Iterator[str]:
    try:
        question()
    except ProviderError as exc:
        yield f"{name} does not answer: {exc.message.rstrip('.')}"
