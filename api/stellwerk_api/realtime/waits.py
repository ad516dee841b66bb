"""Long-polls: a request is forwarded, and its answer held back until the job has ended."""

import asyncio
import time
from collections.abc import Coroutine
from http import HTTPStatus

import httpx
import structlog
from starlette.requests import Request
from starlette.responses import Response

from stellwerk.errors import Unavailable
from stellwerk.jobs.states import TERMINAL, PublicStatus
from stellwerk.live.events import Item, JobEvent, Notice
from stellwerk.live.feed import EventFeed
from stellwerk_api.limit_headers import HEADERS as LIMITS
from stellwerk_api.realtime.replies import handed_on, streamed_on
from stellwerk_api.realtime.upstream import (
    JobAnswer,
    Upstream,
    caller_of,
    read_whole,
    status_in,
)
from stellwerk_api.realtime.wishes import Wish

LOOK_AGAIN_S = 2.0  # after web did not answer

_UNFINISHED = frozenset(PublicStatus) - TERMINAL | {"processing"}
_REPLAYED = "Idempotency-Replayed"
_CONDITIONS = frozenset({b"if-none-match"})  # a wait ends with a change, not with "no change yet"

log = structlog.get_logger()


class Waits:
    """Everything that is held back at this moment, up to a cap."""

    def __init__(self, upstream: Upstream, feed: EventFeed, *, max_waiters: int) -> None:
        self._upstream = upstream
        self._feed = feed
        self._max_waiters = max_waiters
        self.waiting = 0

    async def answer(self, request: Request, wish: Wish) -> Response:
        """Flask's answer, after the job it is about has ended or the wait is over."""
        deadline = time.monotonic() + wish.wait_s
        conditions = _CONDITIONS if wish.wait_s else frozenset()
        first = await self._upstream.forward(request, wish, without=conditions)
        job_id = await _awaited_job(first) if wish.wait_s else ""
        if not job_id or self.waiting >= self._max_waiters:
            return await self._at_once(request, wish, first)
        self.waiting += 1
        try:
            ended = await _unless_gone(request, self._ended(request, job_id, deadline))
        finally:
            self.waiting -= 1
        return await self._after_wait(request, wish, first, ended)

    async def _at_once(self, request: Request, wish: Wish, first: httpx.Response) -> Response:
        if wish.wait_s and "if-none-match" in request.headers and request.method == "GET":
            await first.aclose()
            first = await self._upstream.forward(request, wish, is_repeat=True)
        return handed_on(first) if first.is_closed else streamed_on(first)

    async def _after_wait(
        self, request: Request, wish: Wish, first: httpx.Response, ended: JobAnswer | None
    ) -> Response:
        applied = {"Preference_Applied": "wait"} if ended else {}
        applied |= {name: first.headers[name] for name in LIMITS if name in first.headers}
        if request.method != "GET":
            if _REPLAYED in first.headers:
                applied[_REPLAYED] = first.headers[_REPLAYED]
            return handed_on(ended.response, **applied) if ended else handed_on(first)
        present = await self._upstream.forward(request, wish, is_repeat=True)
        await read_whole(present)
        return handed_on(present, **applied)

    async def _ended(self, request: Request, job_id: str, deadline: float) -> JobAnswer | None:
        """The finished job; None where the wait is over before. Listens first, then looks."""
        end = _End()
        self._feed.topics.attach(job_id, end)
        try:
            while True:
                answer = await self._look(request, job_id)
                if answer and answer.is_final:
                    return answer
                patience_s = deadline - time.monotonic()
                if not answer:
                    patience_s = min(patience_s, LOOK_AGAIN_S)
                if not await end.comes(patience_s) and time.monotonic() >= deadline:
                    return None
                if end.is_closed:
                    return None
        finally:
            self._feed.topics.detach(job_id, end)

    async def _look(self, request: Request, job_id: str) -> JobAnswer | None:
        try:
            asker = self._upstream.again(caller_of(request))
            answer = await self._upstream.job(asker, job_id)
        except Unavailable:  # it is being restarted, and the wait has time
            return None
        self._feed.topics.know(job_id, answer.version)
        return answer


class _End:
    """Hears of nothing but a job's end, and of the process's."""

    def __init__(self) -> None:
        self._heard = asyncio.Event()
        self.is_closed = False

    def tell(self, item: Item) -> None:
        """Note the end."""
        self.is_closed |= item is Notice.CLOSED
        if self.is_closed or (isinstance(item, JobEvent) and item.type == "end"):
            self._heard.set()

    async def comes(self, patience_s: float) -> bool:
        """Whether it comes before one's patience ends; then it is waited for anew."""
        try:
            async with asyncio.timeout(max(patience_s, 0.0)):
                await self._heard.wait()
        except TimeoutError:
            return False
        self._heard.clear()
        return True


async def _awaited_job(response: httpx.Response) -> str:
    """The id of the job an answer is about, if waiting for it makes sense.

    That of a 202 may have ended already: it was repeated, or cancelled.
    """
    is_json = response.headers.get("content-type", "").startswith("application/json")
    if response.status_code not in {200, 202} or not is_json:
        return ""
    await read_whole(response)
    job_id, status = status_in(response)
    return job_id if response.status_code == HTTPStatus.ACCEPTED or status in _UNFINISHED else ""


async def _unless_gone(
    request: Request, work: Coroutine[None, None, JobAnswer | None]
) -> JobAnswer | None:
    """Await `work`, but give it up when the client hangs up."""
    task = asyncio.create_task(work)
    watch = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        watch.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
