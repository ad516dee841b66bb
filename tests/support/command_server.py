"""Forks commands of `stellwerk` for tests: a program of its own, run by `forked_commands`.

What a command imports is imported here once, which is most of what it takes. All the rest is its
own, as it is for one that somebody starts: its environment, folder, streams, signals and exit code.
The program ends when nobody is left who could ask.
"""

import gc
import json
import os
import signal
import socket
import sys
import traceback
from importlib import import_module

from stellwerk.cli.main import COMMANDS, main

MOST_BYTES = 1024 * 1024
# What commands import only once they need it, and all that these import.
LATER = ("bootstrap", "db.migrate", "cli.databases", "backup.saving", "backup.restoring")
STREAMS = 3  # standard input, output and error; after them comes where to tell how it ended


def serve(asking: socket.socket) -> None:
    """Fork for each order; returns in the process of a command, with everything as it wants it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who watch commands
    while True:
        order, handles, _, _ = socket.recv_fds(asking, MOST_BYTES, STREAMS + 1)
        if not order:
            sys.exit()
        if os.fork() == 0:
            break
        for handle in handles:
            os.close(handle)
    asking.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _watch(handles)
    _become(json.loads(order), handles)


def _watch(handles: list[int]) -> None:
    """Tell a command's process id, and how it ended; returns in the command itself."""
    pid = os.fork()
    if pid == 0:
        return
    for handle in handles[:STREAMS]:
        os.close(handle)
    os.write(handles[STREAMS], b"%d " % pid)
    _, status = os.waitpid(pid, 0)
    os.write(handles[STREAMS], b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(order: dict[str, object], handles: list[int]) -> None:
    """Take the command's streams, environment, folder and arguments."""
    for number, handle in enumerate(handles[:STREAMS]):
        os.dup2(handle, number)
    for handle in handles:
        os.close(handle)
    os.environ.clear()
    os.environ.update(order["environment"])  # type: ignore[call-overload]  # from our own JSON
    os.chdir(str(order["folder"]))
    sys.path[0] = str(order["folder"])
    sys.argv = ["stellwerk", *order["arguments"]]  # type: ignore[misc]  # the same


def _code_of_main() -> int:
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:  # noqa: BLE001  as the interpreter does
        traceback.print_exc()
    return 1


def _leave_with(code: int) -> None:
    """End without taking apart what was imported, which takes longer than the command."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    for name in {*(f"cli.{module}" for module, _ in COMMANDS.values()), *LATER}:
        import_module(f"stellwerk.{name}")
    gc.freeze()  # to look through all that was imported would cost each command as much again
    serve(socket.socket(fileno=int(sys.argv[1])))
    _leave_with(_code_of_main())
