"""A worker of one thread that consumes as ours do, whose only task notes when it ran.

`python noting_worker.py REDIS_URL` takes its wake-ups from the queue `short` of that Redis.
"""

import sys
import time

from celery import Celery
from redis import Redis

import celeryconfig
from stellwerk_workers.consuming import consume_cheaply

NOTED = "noted"  # list of times, monotonic
TASK = "note"


def main() -> None:
    """Consume until SIGTERM."""
    url = sys.argv[1]
    app = Celery("noting", broker=url)
    app.config_from_object(celeryconfig)
    consume_cheaply(app, url)
    redis = Redis.from_url(url)

    @app.task(name=TASK)
    def note() -> None:
        redis.rpush(NOTED, time.monotonic())

    app.worker_main(["worker", "-Q", "short", "-P", "threads", "-c", "1", "-E"])


if __name__ == "__main__":
    main()
