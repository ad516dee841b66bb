"""A trunk for tests that behaves as it is told, and calls nobody."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from calling import TRUNK
from stellwerk.errors import ProviderUnavailable
from stellwerk.providers.calls.protocol import Dial, Listener, Presence, Trace, TrunkHealth


class DoubtfulTrunk:
    """Takes orders without ever answering, and says of each call what it is to say."""

    name = TRUNK
    dials_per_s = 100.0

    def __init__(self, presence: Presence) -> None:
        self.ordered: list[UUID] = []
        self.known: dict[UUID, set[str]] = {}  # what it was told of others, with each question
        self._presence = presence

    def refuse(self, dial: Dial) -> None:
        """Take whatever comes."""

    async def run(self, listener: Listener) -> None:
        """Tell nothing."""
        listener.connected()

    async def dial(self, dial: Dial) -> str | None:
        """Leave in doubt whether it is being dialled."""
        self.ordered.append(dial.call_id)
        raise ProviderUnavailable("no answer")

    async def hang_up(self, call_id: UUID, ref: str | None) -> None:
        """Nothing goes on."""

    async def trace(
        self,
        dial: Dial,
        ref: str | None,  # noqa: ARG002  the protocol's
        since: datetime,  # noqa: ARG002  the same
        known: Collection[str] = (),
    ) -> Trace:
        """The same of each."""
        self.known[dial.call_id] = set(known)
        return Trace(self._presence)

    async def check(self) -> TrunkHealth:
        """Well."""
        return TrunkHealth(is_connected=True)
