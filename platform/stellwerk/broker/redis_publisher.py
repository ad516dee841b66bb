"""Publishes wake-ups straight to Redis lists: a fifth of the cost of Celery's own client."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from stellwerk.broker.calls import Grouping
from stellwerk.broker.messages import encode, queue_key
from stellwerk.errors import Unavailable
from stellwerk.jobs.ports import Change, Wakeup
from stellwerk.live.client import LiveClient
from stellwerk.live.lines import Command
from stellwerk.live.pipeline import send
from stellwerk.live.status import LiveStatus

_SCHEMES = frozenset({"redis", "rediss"})


def is_plain_redis(broker_url: str) -> bool:
    """Whether the broker is one Redis server, and not Sentinel, a cluster or another product.

    kombu reads several addresses from one URL where they are separated by semicolons.
    """
    return urlsplit(broker_url).scheme in _SCHEMES and ";" not in broker_url


class RedisPublisher:
    """The `Publisher` of jobs.ports, where the broker is one Redis server."""

    def __init__(
        self, client: LiveClient, live: LiveStatus, grouping: Grouping, *, is_shared: bool
    ) -> None:
        """`is_shared`: live status is kept by the same server, so one trip can carry both."""
        self._client = client
        self._live = live
        self._grouping = grouping
        self._is_shared = is_shared

    def publish(self, wakeups: Sequence[Wakeup]) -> None:
        """See `Publisher.publish`."""
        commands = self._commands(wakeups)
        failed = self._client.ask(lambda _: send(self._client.lines, commands), otherwise=True)
        if failed:
            raise Unavailable("The broker does not answer.")

    def announce(self, changes: Sequence[Change], wakeups: Sequence[Wakeup]) -> None:
        """See `Publisher.announce`."""
        if not self._is_shared:
            self._live.show(changes)
            self.publish(wakeups)
        elif not self._live.show(changes, also=self._commands(wakeups)):
            raise Unavailable("Redis does not answer.")

    def is_paused(self) -> bool:
        """See `Publisher.is_paused`."""
        return self._client.is_paused()

    def _commands(self, wakeups: Sequence[Wakeup]) -> list[Command]:
        """What a Redis pipeline has to carry, in order."""
        calls = self._grouping.calls(wakeups)
        return [("LPUSH", queue_key(call.queue), encode(call)) for call in calls]
