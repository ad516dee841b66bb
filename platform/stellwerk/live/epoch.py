"""Notices that Redis lost its data: its wake-ups are gone with it."""

from redis import Redis

from stellwerk.live import keys
from stellwerk.live.client import LiveClient


def was_emptied(client: LiveClient) -> bool:
    """True once for each time Redis is found without our mark (which is then set again)."""

    def mark(redis: Redis) -> bool:
        return bool(redis.set(keys.EPOCH, "1", nx=True))

    return client.ask(mark, otherwise=False)
