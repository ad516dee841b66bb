"""What listeners are told: events of jobs, and notices about the telling itself.

asyncio only. An event is made once for all who hear it, and so is each form it is written in.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple, Protocol, Self

QUEUE_LIMIT = 256  # events one listener may be behind


class EventId(NamedTuple):
    """`<version>-<sequence>`: grows within a job, and is the id in its Redis stream and in SSE."""

    version: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.version}-{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `7-0`; raises ValueError."""
        version, _, sequence = text.partition("-")
        return cls(int(version), int(sequence))


BEFORE_ALL = EventId(-1, 0)


@dataclass(frozen=True, slots=True)
class JobEvent:
    """`data` is JSON; `status`, `snapshot` and `end` carry the whole job document."""

    job_id: str
    owner: str  # user id; empty: nobody's
    id: EventId
    type: str
    data: bytes
    heard_at: float = field(default_factory=time.monotonic)
    _written: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def written(self, form: str, write: Callable[["JobEvent"], str]) -> str:
        """The event in a form, such as that of a protocol; written at the first call."""
        known = self._written.get(form)
        if known is None:
            known = self._written[form] = write(self)
        return known

    def is_news_after(self, sent: EventId) -> bool:
        """Whether it follows what was sent; an `end` may follow a snapshot of the same version."""
        return self.id > sent or (self.id == sent and self.type == "end")


class Notice(Enum):
    """What a listener is told besides events."""

    GAP = auto()  # events may have been missed, or will be; the ledger is being compared
    OVERFLOW = auto()  # it was too slow; nothing follows
    CLOSED = auto()  # the process is stopping; nothing follows


@dataclass(frozen=True, slots=True)
class Dismissed:
    """The listener's right to hear has ended; `code` says why. Nothing follows."""

    code: str


Item = JobEvent | Notice | Dismissed


class Hearer(Protocol):
    """Whoever is told."""

    def tell(self, item: Item) -> None:
        """Take it at once, whatever it costs later: many others are to be told."""


class Listener:
    """One client's bounded queue."""

    def __init__(self, limit: int = QUEUE_LIMIT) -> None:
        self._queue: asyncio.Queue[Item] = asyncio.Queue(limit)
        self._is_over = False

    def tell(self, item: Item) -> None:
        """Append; a full queue is replaced by OVERFLOW."""
        if self._is_over:
            return
        if self._queue.full():
            item = Notice.OVERFLOW
        if isinstance(item, Dismissed) or item in {Notice.OVERFLOW, Notice.CLOSED}:
            self._is_over = True
            while not self._queue.empty():
                self._queue.get_nowait()
        self._queue.put_nowait(item)

    async def next(self, timeout_s: float) -> Item | None:
        """The next item; None where there was none within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._queue.get()
        except TimeoutError:
            return None
