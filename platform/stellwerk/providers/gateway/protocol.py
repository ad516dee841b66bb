"""What a gateway of modules does: `/{module_name}/` reaches the module's primary instance."""

from collections.abc import Callable, Mapping
from typing import Protocol

Routes = Mapping[str, str]  # address (host:port) by module name


class Gateway(Protocol):
    """Several processes may set its routes at once: what was read last stands."""

    def apply(self, read: Callable[[], Routes]) -> bool:
        """Make it lead as `read` says, which is called after the gateway was looked at.

        Where somebody else changed it in between, both are done again. Returns whether anything
        had to be changed. Requests that are under way end where they began. Raises
        ProviderUnavailable where the gateway does not answer.
        """

    def routes(self) -> Routes:
        """Where it leads now; raises ProviderUnavailable."""
