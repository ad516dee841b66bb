"""Which names services may have."""

from stellwerk.errors import ProviderRejected

LONGEST = 63  # characters; Docker's limit, since names are names of the DNS
GENERATIONS = 4  # characters kept for `_999`: an update must not fail for its name


def require_own(name: str, stack: str) -> None:
    """Raise ProviderRejected for a service of somebody else."""
    if not name.startswith(f"{stack}_"):
        message = f"The service {name[:80]!r} does not belong to {stack}: its name has no {stack}_."
        raise ProviderRejected(message)


def require_short(name: str, base: str) -> None:
    """Raise ProviderRejected for a name that Docker refuses, now or after some updates."""
    over = max(len(name), len(base) + GENERATIONS) - LONGEST
    if over > 0:
        message = (
            f"Docker Swarm allows names of {LONGEST} characters; {name!r} leaves too little room. "
            f"Shorten the module's name, or STELLWERK_SWARM_STACK, by {over}."
        )
        raise ProviderRejected(message)
