"""Fill the queue: `python fill.py COUNT WAIT_MS`."""

import sys

from tasks import work

for _ in range(int(sys.argv[1])):
    work.send(int(sys.argv[2]))
