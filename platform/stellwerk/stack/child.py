"""Becomes another program that dies with its parent. Run as a script, standard library only.

    python -I -S child.py PARENT_PID UID GID PROGRAM ARGUMENT...

UID and GID are `-` to stay who we are. On Linux the kernel is told to send SIGKILL when the
parent ends (prctl(2), PR_SET_PDEATHSIG); a change of user clears that wish, so it comes last.
"""

import ctypes
import os
import signal
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1
CANNOT_START = 127  # what shells answer for a program that is missing


def main(parent_pid: str, uid: str, gid: str, *argv: str) -> NoReturn:
    """Change user, tie this process to its parent, and become `argv`."""
    if uid != "-":
        become(int(uid), int(gid))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent_pid):
        sys.exit("the supervisor is gone")
    for ignored in (signal.SIGPIPE, signal.SIGINT):  # Python and shells leave these ignored
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606  no shell is wanted here
    except OSError as exc:
        print(f"cannot start {argv[0]}: {exc.strerror}", file=sys.stderr)  # noqa: T201  its log
        sys.exit(CANNOT_START)


def become(uid: int, gid: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


if __name__ == "__main__":
    main(*sys.argv[1:])
