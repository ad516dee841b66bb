"""Lists that can be listened to: read as a whole, then told of every change of anything in them."""

from collections.abc import Callable
from dataclasses import dataclass

from stellwerk.live import topics
from stellwerk.live.events import JobEvent

AT_ONCE = 200  # instances: the most that web tells in one page


@dataclass(frozen=True, slots=True)
class LiveList:
    """`path` is where web lists it, `topic` what is told of it to a user (by id).

    `kind` is the type of an event as it is told there, `has_ids` whether events have ids.
    """

    channel: str
    path: str
    topic: Callable[[int], str]
    kind: Callable[[JobEvent], str]
    has_ids: bool = False


def _of_job(event: JobEvent) -> str:
    """A job's change; `snapshot` means the whole list here."""
    return "status" if event.type == "snapshot" else event.type


OWN_JOBS = LiveList("jobs", "/api/v1/jobs", topics.of_user, _of_job, has_ids=True)
MODULES = LiveList(
    "modules",
    f"/api/v1/modules/instances?limit={AT_ONCE}",
    lambda _: topics.MODULES,
    lambda event: event.type,
)
LISTS = {found.channel: found for found in (OWN_JOBS, MODULES)}
