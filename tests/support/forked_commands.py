"""Has commands of `stellwerk` forked from a process that imported them already."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile

import command_server

LIMIT_S = 240.0
_SERVERS: list[tuple["subprocess.Popen[bytes]", socket.socket]] = []  # of this test process


def run_forked(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, typed: str
) -> tuple[int, str, str]:
    """Run a command to its end: its exit code, and what it wrote on standard output and error."""
    order = {"arguments": arguments, "environment": environment, "folder": str(folder)}
    with TemporaryFile("w+") as given, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        given.write(typed)
        given.seek(0)
        told, telling = os.pipe()
        handles = [given.fileno(), out.fileno(), err.fileno(), telling]
        try:
            socket.send_fds(_server(), [json.dumps(order).encode()], handles)
        finally:
            os.close(telling)
        code = _exit_code(told)
        for written in (out, err):
            written.seek(0)
        return code, out.read(), err.read()


def stop_forking() -> None:
    """End the process that forks, if there is one; the next who asks starts another."""
    while _SERVERS:
        process, asking = _SERVERS.pop()
        asking.close()
        process.wait(LIMIT_S)


def _server() -> socket.socket:
    if not _SERVERS:
        asking, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with asked:
            command = [sys.executable, command_server.__file__, str(asked.fileno())]
            process = subprocess.Popen(  # noqa: S603  our own program
                command,
                pass_fds=[asked.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # without the terminal that the tests may have
            )
        _SERVERS.append((process, asking))
    return _SERVERS[0][1]


def _exit_code(told: int) -> int:
    """What is told at the end of a command, which is killed where it takes too long."""
    stops_at, said = time.monotonic() + LIMIT_S, b""
    with open(told, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, stops_at - time.monotonic()))[0]:
            if not (part := pipe.read(100)):
                return int(said.split()[1])
            said += part
    os.kill(int(said.split()[0]), signal.SIGKILL)
    raise TimeoutError(f"A command takes more than {LIMIT_S:g} s.")
