"""What a socket listens to: one job, or a list, such as all jobs of its user.

Each is authorised by what web answers to its caller. Listening begins before web is asked, and
what comes meanwhile is held, so that nothing falls in between.
"""

import asyncio
from typing import Protocol

from stellwerk.errors import StellwerkError
from stellwerk.live.events import BEFORE_ALL, QUEUE_LIMIT, EventId, Item, JobEvent, Notice
from stellwerk.live.feed import EventFeed
from stellwerk_api.realtime.lists import LiveList
from stellwerk_api.realtime.messages import list_text, on_job_channel, on_list_channel, said
from stellwerk_api.realtime.outbox import Outbox
from stellwerk_api.realtime.upstream import Headers, JobAnswer, Upstream

REPLAYED_AT_ONCE = 64  # events of the past in the outbox at once
REFRESH_PAUSE_S = 2.0


class Holder(Protocol):
    """The socket, as far as a subscription needs it."""

    outbox: Outbox
    asker: Headers  # in whose name web is asked

    @property
    def upstream(self) -> Upstream:
        """The web process."""

    @property
    def feed(self) -> EventFeed:
        """Where events come from."""

    @property
    def user_id(self) -> int:
        """Whose it is."""

    def forget(self, channel: str) -> None:
        """The subscription has ended by itself."""

    def overflow(self) -> None:
        """There is no room for what comes in."""


class Subscription(Protocol):
    """What a socket needs to know of either kind."""

    async def begin(self) -> None:
        """Ask web, catch up, and go live; raises ApiRefused and Unavailable."""

    async def recheck(self) -> None:
        """Ask web again; raises ApiRefused and Unavailable."""

    def end(self) -> None:
        """Hear nothing any more."""


class JobSubscription:
    """One job, until its end."""

    __slots__ = ("_channel", "_held", "_holder", "_job_id", "_sent")

    def __init__(
        self, holder: Holder, channel: str, job_id: str, *, last_id: EventId | None
    ) -> None:
        self._holder = holder
        self._channel = channel
        self._job_id = job_id
        self._sent = last_id or BEFORE_ALL
        self._held: list[JobEvent] | None = []

    async def begin(self) -> None:
        """Ask web, send what was missed or a snapshot, and go live."""
        topics = self._holder.feed.topics
        topics.attach(self._job_id, self)
        try:
            first = await self._ask()
        except StellwerkError:
            topics.detach(self._job_id, self)
            raise
        topics.know(self._job_id, first.version)
        self._holder.outbox.put(said("subscribed", channel=self._channel))
        await self._replay()
        for event in first.events(self._job_id, after=self._sent):
            self._pass_on(event)
        self._go_live(is_over=first.is_final)

    async def recheck(self) -> None:
        """Ask web whether it may still be seen."""
        upstream = self._holder.upstream
        await upstream.seen_job(upstream.again(self._holder.asker), self._job_id)

    def end(self) -> None:
        """Hear nothing any more."""
        self._holder.feed.topics.detach(self._job_id, self)

    def tell(self, item: Item) -> None:
        """Send an event on; gaps and the process's stop are dealt with elsewhere."""
        if not isinstance(item, JobEvent):
            return
        if self._held is not None:
            _hold(self._holder, self._held, item)
        elif item.is_news_after(self._sent):
            self._pass_on(item)
            if item.type == "end":
                self._end_with_job()

    async def _ask(self) -> JobAnswer:
        return await self._holder.upstream.seen_job(self._holder.asker, self._job_id)

    async def _replay(self) -> None:
        if self._sent == BEFORE_ALL:
            return
        number = 0
        async for event in self._holder.feed.history(self._job_id, self._sent):
            self._pass_on(event)
            number += 1
            if number % REPLAYED_AT_ONCE == 0:
                await self._holder.outbox.emptied()

    def _go_live(self, *, is_over: bool) -> None:
        held, self._held = self._held or [], None
        if is_over:
            self._end_with_job()
        for event in held:
            self.tell(event)

    def _pass_on(self, event: JobEvent) -> None:
        self._sent = event.id
        text = event.written("job channel", on_job_channel)
        self._holder.outbox.put(text, heard_at=event.heard_at)

    def _end_with_job(self) -> None:
        self.end()
        self._holder.forget(self._channel)
        self._holder.outbox.put(said("unsubscribed", channel=self._channel, reason="ended"))


class ListSubscription:
    """A list as it is, then every change of anything in it."""

    __slots__ = ("_has_gap", "_held", "_holder", "_refreshing", "_topic", "_wanted")

    def __init__(self, holder: Holder, wanted: LiveList) -> None:
        self._holder = holder
        self._wanted = wanted
        self._topic = wanted.topic(holder.user_id)
        self._held: list[JobEvent] | None = []
        self._has_gap = False
        self._refreshing: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Ask web, send the list, and go live."""
        topics = self._holder.feed.topics
        topics.attach(self._topic, self)
        try:
            await self._holder.upstream.standing(self._holder.asker)  # counts as a poll
            content = await self._ask()
        except StellwerkError:
            topics.detach(self._topic, self)
            raise
        self._holder.outbox.put(said("subscribed", channel=self._wanted.channel))
        self._show(content)

    async def recheck(self) -> None:
        """Ask web whether they may still be seen."""
        await self._ask()

    def end(self) -> None:
        """Hear nothing any more."""
        self._holder.feed.topics.detach(self._topic, self)
        if self._refreshing:
            self._refreshing.cancel()

    def tell(self, item: Item) -> None:
        """Send a change on; after a gap send the list again."""
        if isinstance(item, JobEvent):
            if self._held is not None:
                _hold(self._holder, self._held, item)
            else:
                self._pass_on(item)
        elif item is Notice.GAP:
            self._has_gap = True
            self._mend()

    async def _ask(self) -> bytes:
        """Once more: a limit counted the subscription when it began."""
        upstream = self._holder.upstream
        asker = upstream.again(self._holder.asker)
        return await self._wanted.read(lambda path: upstream.listed(path, asker))

    def _mend(self) -> None:
        if self._has_gap and self._held is None:
            self._has_gap, self._held = False, []
            self._refreshing = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        while True:
            try:
                content = await self._ask()
            except StellwerkError:  # web is being restarted; a right that ended is seen elsewhere
                await asyncio.sleep(REFRESH_PAUSE_S)
            else:
                self._show(content)
                return

    def _show(self, content: bytes) -> None:
        self._holder.outbox.put(list_text(self._wanted, content))
        held, self._held = self._held or [], None
        for event in held:
            self._pass_on(event)
        self._mend()

    def _pass_on(self, event: JobEvent) -> None:
        form = f"{self._wanted.channel} channel"
        text = event.written(form, lambda event: on_list_channel(event, self._wanted))
        self._holder.outbox.put(text, heard_at=event.heard_at)


def _hold(holder: Holder, held: list[JobEvent], event: JobEvent) -> None:
    held.append(event)
    if len(held) > QUEUE_LIMIT:
        holder.overflow()
