"""Become another program that the kernel kills when its parent dies (prctl(2), Linux).

Run as a script: `python -I -S deathwatch.py PARENT_PID PROGRAM ARGUMENTS...`. A script and not
`preexec_fn`, because code between fork and exec is unsafe in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
EXIT_CANNOT_START = 127


def main(parent_pid: int, program: list[str]) -> None:
    """Replace this process by `program`, unless the parent is already gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        raise SystemExit(EXIT_CANNOT_START)
    try:
        os.execvp(program[0], program)  # noqa: S606  the caller's list, no shell sees it
    except OSError as exc:
        sys.stderr.write(f"{program[0]}: {exc.strerror}\n")
        raise SystemExit(EXIT_CANNOT_START) from exc


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
