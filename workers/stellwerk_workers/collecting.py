"""How seldom a worker's process looks for garbage that refers to itself.

What CPython allocates it counts, and every 700 objects it looks through the young ones, now and
then through all of them: a third of what a job of a list cost. Nearly everything here is freed by
its reference count; what is loaded at the start stays for ever, and need not be looked through.
"""

import gc

YOUNG = 10_000  # objects that were made and not freed again
OLDER = (50, 50)  # looks at the younger ones for each look at the next older ones


def collect_seldom() -> None:
    """To be called whenever a process has built what it keeps."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *OLDER)
