"""How a handler is stopped from outside. Control flow, not failures: no `except Exception` sees it.

::

    Interruption
    ├── LeaseLost          another attempt took over, or the job was ended
    ├── Cancelled          somebody cancelled the job
    ├── TimeLimitReached   it ran longer than its operation allows
    ├── HandedOver         its worker stops, or it has to wait a while: back to the queue
    └── Suspended          it waits for a signal or for children: its worker is free
"""

from datetime import datetime
from enum import StrEnum

from stellwerk.jobs.awaited import Awaited


class HowStopped(StrEnum):
    """What became of a cancelled job's work: `error.details.stopped`."""

    BEFORE_START = "before_start"  # no worker had it: queued, scheduled, retrying or waiting
    BY_ITSELF = "by_itself"  # its handler heard of it and unwound
    KILLED = "killed"  # its process was killed, or was gone already

    @property
    def told(self) -> str:
        """The end of "The job was cancelled ..."."""
        return {
            HowStopped.BEFORE_START: "while no worker had it",
            HowStopped.BY_ITSELF: "and stopped by itself",
            HowStopped.KILLED: "and its process was killed",
        }[self]


class Interruption(BaseException):
    """The handler has to unwind now."""


class LeaseLost(Interruption):
    """This attempt may not write any more."""


class Cancelled(Interruption):
    """The job was cancelled while it ran."""


class TimeLimitReached(Interruption):
    """The attempt used up its operation's time limit."""


class HandedOver(Interruption):
    """Give the job back uncounted, to be claimed again after `delay_s`."""

    def __init__(self, reason: str = "its worker is stopping", delay_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay_s = delay_s


class Suspended(Interruption):
    """The job waits for `signal` until `until` (None: for ever), or for children."""

    def __init__(self, signal: str, until: datetime | None, awaited: Awaited | None = None) -> None:
        super().__init__(signal)
        self.signal = signal
        self.until = until
        self.awaited = awaited
