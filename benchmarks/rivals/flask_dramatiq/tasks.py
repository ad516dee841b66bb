"""The broker and the work."""

import os
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

results = RedisBackend(url=os.environ["RESULT_URL"])
broker = RedisBroker(url=os.environ["BROKER_URL"])
broker.add_middleware(Results(backend=results))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True)
def work(wait_ms: int) -> dict[str, int]:
    """Wait, or do nothing at all."""
    if wait_ms:
        time.sleep(wait_ms / 1000)
    return {"waited_ms": wait_ms}
