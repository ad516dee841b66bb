"""How a worker stands back: its jobs may wait a moment, where requests are waited for."""

import os
from contextlib import suppress
from pathlib import Path

_OF_SESSION = Path("/proc/self/autogroup")


def give_way(niceness: int) -> None:
    """Run this process, and whatever it starts from now on, with no more than that priority.

    Linux may weigh sessions against each other before it looks at processes (sched(7), "The
    autogroup feature"): so a session that is this process's own becomes as nice.
    """
    if niceness <= os.getpriority(os.PRIO_PROCESS, 0):
        return
    os.setpriority(os.PRIO_PROCESS, 0, niceness)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # other systems, and kernels without it
            _OF_SESSION.write_text(str(niceness))
