"""Removing everything of ours from Redis, once the ledger is another one."""

from redis import Redis

from stellwerk.live import keys
from stellwerk.live.client import LiveClient

AT_ONCE = 1000


def clear(client: LiveClient) -> bool:
    """Remove every key of ours; the dispatcher publishes again. False where Redis is away."""

    def remove(redis: Redis) -> bool:
        found = redis.scan_iter(f"{keys.PREFIX}:*", count=AT_ONCE)
        with redis.pipeline(transaction=False) as pipe:
            for number, key in enumerate(found, start=1):
                pipe.unlink(key)
                if number % AT_ONCE == 0:
                    pipe.execute()
            pipe.execute()
        return True

    return client.ask(remove, otherwise=False)
