"""How many due jobs stand in each queue, told by the dispatcher to whoever answers polls."""

from collections.abc import Mapping

import orjson

from stellwerk.live import keys
from stellwerk.live.client import LiveClient

KEPT_S = 15  # without a dispatcher nobody knows


class QueueDepths:
    """The depths in Redis."""

    def __init__(self, client: LiveClient) -> None:
        self._client = client

    def show(self, depths: Mapping[str, int]) -> None:
        """Put them there for a while."""
        text = orjson.dumps(dict(depths))
        self._client.ask(
            lambda redis: redis.set(keys.QUEUE_DEPTHS, text, ex=KEPT_S), otherwise=None
        )

    def of(self, queue: str) -> int:
        """Due jobs in a queue; 0 where nobody knows."""
        held = self._client.ask(lambda redis: redis.get(keys.QUEUE_DEPTHS), otherwise=None)
        return depths_in(held).get(queue, 0)


def depths_in(held: bytes | str | None) -> Mapping[str, int]:
    """What the key's value says."""
    depths: dict[str, int] = orjson.loads(held) if held else {}
    return depths
