"""Who listens to what, in one process: topics are jobs, users for all of their jobs, modules."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from stellwerk.live.events import EventId, Hearer, JobEvent, Notice

_OF_USER = "user:"
MODULES = "modules"  # stellwerk.modules.telling.TOPIC
_DOCUMENTS = frozenset({"status", "snapshot", "end"})  # a user's topic tells these alone


@dataclass(frozen=True, slots=True)
class Found:
    """What the ledger has of a job; `document` is JSON."""

    job_id: str
    owner: str
    version: int
    is_final: bool
    document: bytes


@dataclass(slots=True)
class _Topic:
    version: int = -1  # every hearer was told of it
    heard_at: float = field(default_factory=time.monotonic)
    hearers: set[Hearer] = field(default_factory=set)


class Topics:
    """Everybody who listens."""

    def __init__(self) -> None:
        self._topics: dict[str, _Topic] = {}
        self._is_closed = False

    def attach(self, topic: str, hearer: Hearer) -> None:
        """Tell a hearer of everything from now on."""
        self._topics.setdefault(topic, _Topic()).hearers.add(hearer)
        if self._is_closed:
            hearer.tell(Notice.CLOSED)

    def detach(self, topic: str, hearer: Hearer) -> None:
        """Leave it alone; detaching twice is no error."""
        present = self._topics.get(topic)
        if present is None:
            return
        present.hearers.discard(hearer)
        if not present.hearers:
            del self._topics[topic]

    def know(self, job_id: str, version: int) -> None:
        """The first hearer of a job has seen this version; later ones have at least that."""
        topic = self._topics.get(job_id)
        if topic and topic.version < 0:
            topic.version = version

    def deliver(self, event: JobEvent) -> None:
        """Tell an event to those who listen to its job or to its owner."""
        topic = self._topics.get(event.job_id)
        if topic:
            topic.heard_at = event.heard_at
            if event.type in _DOCUMENTS:
                topic.version = max(topic.version, event.id.version)
            _tell(topic, event)
        if event.type in _DOCUMENTS and event.owner:
            of_owner = self._topics.get(of_user(event.owner))
            if of_owner:
                _tell(of_owner, event)

    def found(self, present: Found) -> None:
        """Tell what the ledger has: a `snapshot`, and the `end` where that is final."""
        kinds = ("snapshot", "end") if present.is_final else ("snapshot",)
        event_id = EventId(present.version, 0)
        for kind in kinds:
            self.deliver(JobEvent(present.job_id, present.owner, event_id, kind, present.document))

    def silent(self, before: float) -> dict[str, int]:
        """Jobs not heard of since that moment (monotonic), with the version known of each."""
        return {
            name: topic.version
            for name, topic in self._topics.items()
            if topic.heard_at <= before and not _is_list(name)
        }

    def tell_all(self, notice: Notice) -> None:
        """Tell a notice to everybody, and after CLOSED to everybody who still comes."""
        self._is_closed |= notice is Notice.CLOSED
        for topic in tuple(self._topics.values()):
            _tell(topic, notice)

    def __iter__(self) -> Iterator[str]:
        return iter(self._topics)


def of_user(user_id: int | str) -> str:
    """The topic of all jobs of a user."""
    return f"{_OF_USER}{user_id}"


def _is_list(topic: str) -> bool:
    """Whether it is read again as a whole where something of it may have been missed."""
    return topic == MODULES or topic.startswith(_OF_USER)


def _tell(topic: _Topic, item: JobEvent | Notice) -> None:
    for hearer in tuple(topic.hearers):  # some leave when they hear it
        hearer.tell(item)
