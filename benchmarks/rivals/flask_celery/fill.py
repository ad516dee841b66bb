"""Fill the queue: `python fill.py COUNT WAIT_MS`."""

import sys

import make_celery  # noqa: F401  makes the application that shared tasks bind to
from tasks import work

for _ in range(int(sys.argv[1])):
    work.delay(int(sys.argv[2]))
