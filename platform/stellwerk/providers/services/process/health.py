"""Asks a service whether it is well, without ever making its keeper wait."""

import errno
import os
import re
import signal
import socket
import time
from typing import Protocol

from stellwerk.providers.services.process.listeners import listeners
from stellwerk.providers.services.process.program import HOST, Started, start
from stellwerk.providers.services.process.records import Task

WELL = ""
FIRST_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})")
WELL_STATUSES = range(200, 400)
LONGEST_FIRST_LINE = 1024


class Check(Protocol):
    """One question. It is asked when the check is made."""

    def answer(self, statuses: dict[int, int]) -> str | None:
        """None: no answer yet; WELL, or why not. `statuses` are of children that have ended."""

    def close(self) -> None:
        """Give up what it holds; it may not have been answered."""


def ask(task: Task, nowhere: int, *, program: int, is_known: bool) -> Check:
    """Begin a check of what runs as `program`; what a command says goes `nowhere`.

    Of a service that is not known as well yet, its port has to be its own.
    """
    if task.spec.health.command:
        return CommandCheck(task, nowhere, program)
    if not is_known and _is_anothers(task):
        return Refusal(f"port {task.spec.port} is another program's")
    return HttpCheck(task)


def _is_anothers(task: Task) -> bool:
    """Whether somebody listens on its port, and not as the service's user."""
    users = set() if task.uid is None else listeners(task.spec.port)
    return bool(users) and task.uid not in users


class Refusal:
    """Nobody is asked."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def answer(self, statuses: dict[int, int]) -> str | None:
        """As the protocol says."""
        del statuses
        return self._reason

    def close(self) -> None:
        """As the protocol says."""


class HttpCheck:
    """GET on loopback, as far as the answer's first line."""

    def __init__(self, task: Task) -> None:
        path, port = task.spec.health.path, task.spec.port
        self._timeout_s = task.spec.health.timeout_s
        self._deadline_s = time.monotonic() + self._timeout_s
        self._unsent = (
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUser-Agent: stellwerk-health\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n"
        ).encode()
        self._received = b""
        self._socket = socket.socket()
        self._socket.setblocking(False)  # noqa: FBT003  its only parameter
        self._refused = self._socket.connect_ex((HOST, port))

    def answer(self, statuses: dict[int, int]) -> str | None:
        """As the protocol says."""
        del statuses
        if self._refused not in {0, errno.EINPROGRESS}:
            return f"no answer: {os.strerror(self._refused)}"
        try:
            return self._exchanged()
        except BlockingIOError:
            late = time.monotonic() > self._deadline_s
            return f"no answer within {self._timeout_s:g} s" if late else None
        except OSError as exc:
            return f"no answer: {exc.strerror or exc}"

    def close(self) -> None:
        """As the protocol says."""
        self._socket.close()

    def _exchanged(self) -> str | None:
        while self._unsent:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        while b"\n" not in self._received and len(self._received) < LONGEST_FIRST_LINE:
            part = self._socket.recv(LONGEST_FIRST_LINE)
            if not part:
                break
            self._received += part
        found = FIRST_LINE.match(self._received)
        if not found:
            return "its answer is not HTTP"
        status = int(found[1])
        return WELL if status in WELL_STATUSES else f"it answered with {status}"


class CommandCheck:
    """A program that ends with 0."""

    def __init__(self, task: Task, nowhere: int, program: int) -> None:
        command = task.spec.health.command
        self._timeout_s = task.spec.health.timeout_s
        self._process: Started | None = start(task, command, nowhere, beside=program)

    def answer(self, statuses: dict[int, int]) -> str | None:
        """As the protocol says."""
        if self._process is None:
            return "the command was given up"
        status = statuses.pop(self._process.pid, None)
        if status is not None:
            self._process = None
            code = os.waitstatus_to_exitcode(status)
            return WELL if code == 0 else f"its command ended with {code}"
        if time.monotonic() - self._process.began_s < self._timeout_s:
            return None
        return f"its command took more than {self._timeout_s:g} s"

    def close(self) -> None:
        """As the protocol says; its keeper collects what it was."""
        if self._process:
            self._process.signal(signal.SIGKILL)
