"""Where a request comes from, known to whoever puts something on record while it is answered."""

from contextvars import ContextVar
from dataclasses import asdict, dataclass

LONGEST_AGENT = 200  # letters kept of a `User-Agent`


@dataclass(frozen=True, slots=True)
class Origin:
    """What is kept of a request; empty where nobody sent one.

    `credential` names what the sender showed: `session:<id>` or `key:<id>`.
    """

    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    credential: str = ""

    def known(self) -> dict[str, str]:
        """What of it is known."""
        found: dict[str, str] = asdict(self)
        return {name: value for name, value in found.items() if value}


NOWHERE = Origin()
_present: ContextVar[Origin] = ContextVar("audit_origin", default=NOWHERE)


def present() -> Origin:
    """Where the request that is being answered comes from."""
    return _present.get()


def comes_from(origin: Origin) -> None:
    """From now on, in this thread or task, until it is said again."""
    _present.set(origin)
