"""Compares what listeners were told with the ledger: silent jobs, and whether rights still stand.

One question to web for all of this process's listeners, in its own name, whoever they are: what
each may hear was checked when it began to listen.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import orjson
import structlog

from stellwerk.errors import ApiRefused, StellwerkError
from stellwerk.live.feed import EventFeed
from stellwerk.live.topics import Found
from stellwerk_api.realtime.guests import Guests
from stellwerk_api.realtime.metrics import observe_comparison
from stellwerk_api.realtime.upstream import Upstream

BLIND_EVERY_S = 1.5  # while no events come in, or web did not answer
AT_ONCE = 1000  # jobs or credentials in one question

log = structlog.get_logger()


class Comparison:
    """Runs every `every_s`, at once after a gap in the events, and often while there are none."""

    def __init__(
        self, upstream: Upstream, feed: EventFeed, guests: Guests, *, every_s: float
    ) -> None:
        self._upstream = upstream
        self._feed = feed
        self._guests = guests
        self._every_s = every_s
        self._problem = ""

    async def run(self) -> None:
        """Compare until cancelled."""
        while True:
            is_quiet = self._feed.is_connected and not self._problem
            await self._wait(self._every_s if is_quiet else BLIND_EVERY_S)
            was_blind = self._feed.gap.is_set() or not is_quiet
            self._feed.gap.clear()
            try:
                await self._compare(everything=was_blind)
            except StellwerkError as exc:
                self._fail(exc)
            else:
                self._problem = ""

    async def _wait(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._feed.gap.wait()
        except TimeoutError:
            return

    async def _compare(self, *, everything: bool) -> None:
        began = time.monotonic()
        silent = self._feed.topics.silent(began if everything else began - self._every_s)
        credentials = self._guests.credentials()
        missed = 0
        for some_jobs, some_credentials in _questions(silent, credentials):
            answer = await self._upstream.compared(some_jobs, some_credentials)
            for found in answer["newer"]:
                self._feed.topics.found(_found(found))
            self._guests.dismiss_with(answer["ended"])
            missed += len(answer["newer"])
        observe_comparison(time.monotonic() - began, missed)

    def _fail(self, error: StellwerkError) -> None:
        problem = f"{error.code}: {error.message}"
        if problem != self._problem:
            self._problem = problem
            hint = "is STELLWERK_REALTIME_TOKEN the same for web?" if _is_refused(error) else ""
            log.warning("the ledger cannot be compared", reason=problem, hint=hint)


def _questions(
    jobs: dict[str, int], credentials: set[str]
) -> Iterator[tuple[dict[str, int], set[str]]]:
    """One question where both fit into it."""
    versions, names = list(jobs.items()), list(credentials)
    for start in range(0, max(len(versions), len(names)), AT_ONCE):
        end = start + AT_ONCE
        yield dict(versions[start:end]), set(names[start:end])


def _found(item: dict[str, Any]) -> Found:
    document = item["document"]
    owner = item["owner_id"]
    return Found(
        job_id=document["job_id"],
        owner="" if owner is None else str(owner),
        version=item["version"],
        is_final=item["is_final"],
        document=orjson.dumps(document),
    )


def _is_refused(error: StellwerkError) -> bool:
    return isinstance(error, ApiRefused)
