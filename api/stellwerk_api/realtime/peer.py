"""The client at the other end of a WebSocket: who it is, and what it listens to."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from stellwerk.clock import rfc3339
from stellwerk.errors import (
    ApiRefused,
    Conflict,
    ErrorCode,
    InvalidInput,
    LimitReached,
    NotAuthenticated,
    NotPermitted,
    StellwerkError,
)
from stellwerk.live.feed import EventFeed
from stellwerk_api.realtime.guests import Guest, Guests, Standing
from stellwerk_api.realtime.lists import LISTS
from stellwerk_api.realtime.messages import (
    Auth,
    CloseCode,
    Message,
    Ping,
    Subscribe,
    Unsubscribe,
    error_text,
    read_message,
    said,
)
from stellwerk_api.realtime.metrics import count_dropped, count_error
from stellwerk_api.realtime.outbox import Outbox
from stellwerk_api.realtime.refusals import STATUS
from stellwerk_api.realtime.subscriptions import JobSubscription, ListSubscription, Subscription
from stellwerk_api.realtime.upstream import Headers, Upstream, caller_of

AUTH_WITHIN_S = 10.0
SEND_LIMIT_S = 20.0  # a client that takes nothing for so long is cut off
MALFORMED_MAX = 5
_CLOSED_WITH: Mapping[int, CloseCode] = {  # by the status that web answers to a token with
    HTTPStatus.FORBIDDEN: CloseCode.NOT_PERMITTED,
    HTTPStatus.TOO_MANY_REQUESTS: CloseCode.TOO_MANY,
}


@dataclass(frozen=True, slots=True)
class House:
    """What all sockets share."""

    upstream: Upstream
    feed: EventFeed
    guests: Guests
    channels_max: int  # of one socket
    sockets_max: int


class Peer:
    """One connection: who it is, what it listens to, and what it was not sent yet."""

    __slots__ = (
        "_closing",
        "_connection",
        "_guest",
        "_house",
        "_is_asking",
        "_malformed",
        "_opened_at",
        "_reason",
        "_receive",
        "_serving",
        "_subscriptions",
        "asker",
        "outbox",
    )

    def __init__(self, house: House, scope: Scope, receive: Receive, send: Send) -> None:
        self._house = house
        self._connection = HTTPConnection(scope)
        self._receive = receive
        self._opened_at = time.monotonic()
        self._malformed = 0
        self._reason = ""
        self._is_asking = False  # web whose socket it is: that may take a while
        self._guest: Guest | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self._serving: asyncio.Task[object] | None = asyncio.current_task()
        self._closing: asyncio.Task[None] | None = None
        self.asker: Headers = []
        self.outbox = Outbox(send, self.overflow)

    @property
    def upstream(self) -> Upstream:
        """The web process."""
        return self._house.upstream

    @property
    def feed(self) -> EventFeed:
        """Where events come from."""
        return self._house.feed

    @property
    def user_id(self) -> int:
        """Whose socket it is; 0 before that is known."""
        return self._guest.standing.user_id if self._guest else 0

    @property
    def channels(self) -> int:
        """What it listens to."""
        return len(self._subscriptions)

    def history(self) -> dict[str, object]:
        """For the log: whose it was, for how long, and why this side closed it (if it did)."""
        duration_s = round(time.monotonic() - self._opened_at, 1)
        return {"user_id": self.user_id, "duration_s": duration_s, "reason": self._reason}

    async def serve(self) -> None:
        """Take messages until either side closes."""
        try:
            while (message := await self._receive())["type"] != "websocket.disconnect":
                await self._take(message.get("text"))
        except asyncio.CancelledError:
            if self._closing is None:  # nobody here asked for it
                raise

    def leave(self) -> None:
        """Nobody is there any more."""
        for subscription in self._subscriptions.values():
            subscription.end()
        self._subscriptions.clear()
        if self._guest:
            self._house.guests.leave(self._guest)
        if self._closing is None:
            self.outbox.drop()

    def forget(self, channel: str) -> None:
        """The subscription has ended by itself."""
        self._subscriptions.pop(channel, None)

    def sweep(self, now: float) -> None:
        """Close it where its time is over; `now` is monotonic."""
        is_late = now - self._opened_at > AUTH_WITHIN_S
        if self._guest is None and is_late and not self._is_asking:
            self.close(CloseCode.NOT_AUTHENTICATED, ErrorCode.NOT_AUTHENTICATED)
        if self.outbox.stuck_since and now - self.outbox.stuck_since > SEND_LIMIT_S:
            self.overflow()

    def overflow(self) -> None:
        """The client takes less than comes."""
        self.close(CloseCode.TOO_SLOW, ErrorCode.SLOW_READER, at_once=True)

    def close(self, code: CloseCode, reason: str, *, at_once: bool = False) -> None:
        """Close the connection; `at_once`: whatever is still to be sent."""
        if self._closing is None:
            self._reason = reason
            count_dropped(reason)
            self._closing = asyncio.create_task(self._close(code, reason, at_once=at_once))

    async def _close(self, code: CloseCode, reason: str, *, at_once: bool) -> None:
        await self.outbox.close(code, reason, at_once=at_once)
        if self._serving:
            self._serving.cancel()

    async def _take(self, text: str | None) -> None:
        channel = None
        try:
            message = read_message(text)
            channel = getattr(message, "channel", None)
            await self._do(message)
        except StellwerkError as exc:
            count_error(exc.code)
            self.outbox.put(error_text(exc, channel))
            if isinstance(exc, InvalidInput):
                self._malformed += 1
            if self._malformed >= MALFORMED_MAX:
                self.close(CloseCode.MALFORMED, ErrorCode.MALFORMED_REQUEST)

    async def _do(self, message: Message) -> None:
        match message:
            case Ping():
                self.outbox.put(said("pong"))
            case Auth(token):
                await self._authenticate(token)
            case _ if self._guest is None:
                self.close(CloseCode.NOT_AUTHENTICATED, ErrorCode.NOT_AUTHENTICATED)
                raise NotAuthenticated("Send `auth` first.")
            case Subscribe():
                await self._subscribe(message)
            case Unsubscribe(channel):
                self._unsubscribe(channel, reason="asked")

    async def _authenticate(self, token: str) -> None:
        asker = caller_of(self._connection, token=token)
        self._is_asking = True
        try:
            standing = Standing.of(await self.upstream.standing(asker))
        except ApiRefused as exc:
            code = _CLOSED_WITH.get(exc.details[STATUS], CloseCode.NOT_AUTHENTICATED)
            self.close(code, exc.code)
            raise
        finally:
            self._is_asking = False
        self._enter(standing)
        self.asker = asker
        until = standing.expires_at and rfc3339(datetime.fromtimestamp(standing.expires_at, UTC))
        self.outbox.put(said("authenticated", user_id=standing.user_id, expires_at=until))
        await self._recheck()

    def _enter(self, standing: Standing) -> None:
        if self._guest is None:
            guest = Guest(standing, self._dismissed)
            try:
                self._house.guests.enter(guest)
            except LimitReached as exc:
                self.close(CloseCode.TOO_MANY, exc.code)
                raise
            self._guest = guest
        elif standing.user_id == self.user_id:
            self._guest.standing = standing
        else:
            self.close(CloseCode.NOT_PERMITTED, ErrorCode.NOT_PERMITTED)
            raise NotPermitted("This socket is somebody else's.")

    def _dismissed(self, code: str) -> None:
        self.close(CloseCode.NOT_AUTHENTICATED, code)

    async def _recheck(self) -> None:
        """A fresh token may allow less."""
        for channel, subscription in tuple(self._subscriptions.items()):
            try:
                await subscription.recheck()
            except ApiRefused as exc:
                self._unsubscribe(channel, reason=exc.code)

    async def _subscribe(self, wanted: Subscribe) -> None:
        if wanted.channel in self._subscriptions:
            raise Conflict(f"You listen to {wanted.channel} already.")
        if self.channels >= self._house.channels_max:
            raise LimitReached(f"A socket has at most {self._house.channels_max} channels.")
        subscription = self._subscriptions[wanted.channel] = _subscription(self, wanted)
        try:
            await subscription.begin()
        except StellwerkError:
            self.forget(wanted.channel)
            raise

    def _unsubscribe(self, channel: str, *, reason: str) -> None:
        subscription = self._subscriptions.pop(channel, None)
        if subscription:
            subscription.end()
        self.outbox.put(said("unsubscribed", channel=channel, reason=reason))


def _subscription(peer: Peer, wanted: Subscribe) -> Subscription:
    if not wanted.job_id:
        return ListSubscription(peer, LISTS[wanted.channel])
    return JobSubscription(peer, wanted.channel, wanted.job_id, last_id=wanted.last_event_id)
