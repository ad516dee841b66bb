"""What is told to whoever listens to a topic that is no job: heard now, and kept nowhere."""

from typing import Any

import orjson

from stellwerk.live import keys
from stellwerk.live.client import LiveClient


class LiveNews:
    """What `stellwerk.jobs.ports.News` asks for, on the channel of jobs' events."""

    def __init__(self, client: LiveClient) -> None:
        self._client = client

    def tell(self, topic: str, kind: str, data: Any) -> None:
        """One message, in the form of jobs' events: it has no owner and no id."""
        message = f"{topic} - 0-0 {kind} ".encode() + orjson.dumps(data)
        self._client.ask(lambda redis: redis.publish(keys.EVENTS_CHANNEL, message), otherwise=None)
