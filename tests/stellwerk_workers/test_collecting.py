"""Workers look for garbage seldom, and find it all the same."""

import subprocess
import sys

from stellwerk.settings import environment

# In a process of its own, which the tests' objects are not in.
PROGRAM = """
import gc, weakref
from stellwerk_workers.collecting import collect_seldom

class Ring:
    def __init__(self):
        self.itself = self

collect_seldom()
ring = weakref.ref(Ring())
before = [generation["collections"] for generation in gc.get_stats()]
kept = [[] for _ in range(100_000)]
after = [generation["collections"] for generation in gc.get_stats()]
print(*(more - less for more, less in zip(after, before)), ring() is None)
"""


def test_a_hundred_thousand_objects_are_looked_at_ten_times_and_never_with_all_others() -> None:
    command = [sys.executable, "-c", PROGRAM]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)  # noqa: S603  our own program

    young, middle, old, is_ring_gone = run.stdout.split()
    assert int(young) <= 10
    assert (middle, old, is_ring_gone) == ("0", "0", "True")
