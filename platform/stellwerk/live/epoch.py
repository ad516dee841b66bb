"""Notices that the broker's Redis lost its data: its wake-ups are gone with it."""

from stellwerk.live import keys
from stellwerk.live.client import LiveClient


def was_emptied(client: LiveClient) -> bool:
    """True while Redis answers and our mark is not in it; `set_mark` puts it there."""
    return client.ask(lambda redis: not redis.exists(keys.EPOCH), otherwise=False)


def set_mark(client: LiveClient) -> None:
    """Called once everything was done that an emptied Redis asks for."""
    client.ask(lambda redis: redis.set(keys.EPOCH, "1"), otherwise=None)
