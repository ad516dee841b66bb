"""Fill the queue: `python fill.py COUNT WAIT_MS`."""

import os
import sys

from redis import Redis
from rq import Queue
from tasks import work

queue = Queue(connection=Redis.from_url(os.environ["BROKER_URL"]))
for _ in range(int(sys.argv[1])):
    queue.enqueue(work, int(sys.argv[2]))
