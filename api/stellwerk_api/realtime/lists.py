"""Lists that can be listened to: read as a whole, then told of every change of anything in them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from stellwerk.live import topics
from stellwerk.live.events import JobEvent

AT_ONCE = 200  # instances: the most that web tells in one page
PAGES = 25  # of these: as many instances as settings allow


@dataclass(frozen=True, slots=True)
class LiveList:
    """`path` is where web lists it, `topic` what is told of it to a user (by id).

    `kind` is the type of an event as it is told there, `has_ids` whether events have ids, and
    `pages` how many of web's are read at most.
    """

    channel: str
    path: str
    topic: Callable[[int], str]
    kind: Callable[[JobEvent], str]
    has_ids: bool = False
    pages: int = 1

    async def read(self, ask: Callable[[str], Awaitable[bytes]]) -> bytes:
        """The list as one page of JSON; `ask` asks web for a path."""
        content = await ask(self.path)
        if self.pages == 1:
            return content
        found = orjson.loads(content)
        items: list[Any] = found["items"]
        for _ in range(self.pages - 1):
            if found["next_cursor"] is None:
                break
            found = orjson.loads(await ask(f"{self.path}&cursor={found['next_cursor']}"))
            items += found["items"]
        return orjson.dumps({**found, "items": items})


def _of_job(event: JobEvent) -> str:
    """A job's change; `snapshot` means the whole list here."""
    return "status" if event.type == "snapshot" else event.type


OWN_JOBS = LiveList("jobs", "/api/v1/jobs", topics.of_user, _of_job, has_ids=True)
MODULES = LiveList(
    "modules",
    f"/api/v1/modules/instances?limit={AT_ONCE}",
    lambda _: topics.MODULES,
    lambda event: event.type,
    pages=PAGES,
)
LISTS = {found.channel: found for found in (OWN_JOBS, MODULES)}
