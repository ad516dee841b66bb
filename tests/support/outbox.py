"""A publisher that sends nothing, for tests of what is published when."""

from collections.abc import Sequence
from uuid import UUID

from stellwerk.errors import Unavailable
from stellwerk.jobs.ports import Change, Wakeup


class Outbox:
    """Keeps what it is given, or is out of order."""

    def __init__(self) -> None:
        self.sent: list[UUID] = []
        self.works = True

    def publish(self, wakeups: Sequence[Wakeup]) -> None:
        """Keep the jobs' ids."""
        if not self.works:
            raise Unavailable("no broker")
        self.sent += [wakeup.job_id for wakeup in wakeups]

    def announce(self, changes: Sequence[Change], wakeups: Sequence[Wakeup]) -> None:
        """Show nothing."""
        del changes
        self.publish(wakeups)

    def is_paused(self) -> bool:
        """It never rests."""
        return False
