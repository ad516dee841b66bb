"""What the engine needs from Redis and Celery, as protocols: it imports neither."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Wakeup:
    """A disposable message: this job is due, and this many attempts were made so far."""

    job_id: UUID
    attempt: int
    operation: str
    queue: str

    @property
    def task_id(self) -> str:
        """The id under which Flower shows it: the job's for the first attempt."""
        return str(self.job_id) if self.attempt == 0 else f"{self.job_id}.{self.attempt + 1}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job; ids `<version>-<sequence>` grow within it."""

    job_id: UUID
    version: int
    sequence: int
    type: str
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """The event's id, also the SSE `id:`."""
        return f"{self.version}-{self.sequence}"


@dataclass(frozen=True, slots=True)
class Change:
    """A job's new public document, to be shown to whoever watches.

    `true_until`: from then on the document is another one, though nobody changed the job, and
    `sequence` is above 0 where that is told; `is_internal`: those who watch all of their jobs do
    not watch this one.
    """

    job_id: UUID
    owner_id: int | None
    version: int
    is_final: bool
    document: dict[str, Any]
    true_until: datetime | None = None
    is_internal: bool = False
    sequence: int = 0  # of the event that shows it, within the version


class Publisher(Protocol):
    """Sends wake-ups."""

    def publish(self, wakeups: Sequence[Wakeup]) -> None:
        """Send them; raises Unavailable when the broker does not answer at once."""

    def announce(self, changes: Sequence[Change], wakeups: Sequence[Wakeup]) -> None:
        """Show changes, then send wake-ups; raises Unavailable where these were not sent.

        One round trip where one Redis is both broker and board. Like `Board.show` it shows
        later what it could not show.
        """

    def is_paused(self) -> bool:
        """Whether the broker failed a moment ago, so that trying is of no use yet."""


class Board(Protocol):
    """Where live status is shown. It never raises: what it loses, the ledger still has."""

    def show(self, changes: Sequence[Change]) -> bool:
        """Show documents, unless a newer version is shown already, and append their events.

        False where they are shown later, because Redis does not answer.
        """

    def emit(self, event: Event, owner_id: int | None) -> None:
        """Append an event that changes no document (a token, a note)."""

    def keep(self, job_ids: Sequence[UUID]) -> None:
        """Keep what is shown of running jobs from expiring."""

    def forget(self, job_ids: Sequence[UUID]) -> bool:
        """Remove what is shown of jobs, and their events; False where that could not be done."""


class Copies(Protocol):
    """Where sealed copies of what the ledger keeps stand for a while. It never raises."""

    def read(self, kind: str, name: str) -> bytes | None:
        """The copy, if there is one."""

    def fill(self, kind: str, name: str, value: bytes, *, ttl_s: float) -> None:
        """Put a copy where none is, and where none was dropped a moment ago."""

    def put(self, kind: str, name: str, value: bytes, *, ttl_s: float) -> None:
        """Put a copy in place of another, by whoever just changed what it is of."""

    def drop(self, kind: str, name: str) -> None:
        """Remove a copy; those who read what it was of before do not put it back."""


class News(Protocol):
    """Where those hear something who listen to a topic that is no job. It never raises."""

    def tell(self, topic: str, kind: str, data: Any) -> None:
        """Tell JSON; who does not listen at the moment does not hear it."""


class Standings(Protocol):
    """Copies of who is signed in, beside the ledger."""

    def end(self, session_ids: Sequence[UUID]) -> bool:
        """These sessions have ended; False where that could not be told."""

    def end_keys(self, key_hashes: Sequence[str]) -> bool:
        """The same of API keys."""
