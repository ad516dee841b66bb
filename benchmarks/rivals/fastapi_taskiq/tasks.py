"""The broker and the work."""

import asyncio
import os

from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

results = RedisAsyncResultBackend(redis_url=os.environ["RESULT_URL"])
broker = RedisStreamBroker(url=os.environ["BROKER_URL"]).with_result_backend(results)


@broker.task
async def work(wait_ms: int) -> dict[str, int]:
    """Wait, or do nothing at all."""
    if wait_ms:
        await asyncio.sleep(wait_ms / 1000)
    return {"waited_ms": wait_ms}
