"""What a keeper hears while it waits: signals, the end of children, and what its service says."""

import os
import select
import signal
import socket
import time
from contextlib import suppress
from types import FrameType

from stellwerk.providers.services.process.pace import Pace

READ_BYTES = 64 * 1024
AT_ONCE = signal.SIGQUIT  # end the service without its grace


class Ears:
    """One pipe for all that a service says, and one through which signals wake its keeper."""

    def __init__(self) -> None:
        self.asked_to_stop = False
        self.in_a_hurry = False
        self._pace = Pace()
        self._said, self.output = os.pipe()
        os.set_blocking(self._said, False)
        self._woken, self._waking = socket.socketpair()
        for end in (self._woken, self._waking):
            end.setblocking(False)  # noqa: FBT003  its only parameter
        signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(AT_ONCE, self._stop)
        signal.signal(signal.SIGCHLD, self._ignore)  # a handler: else nothing wakes us
        for unwanted in (signal.SIGINT, signal.SIGHUP):
            signal.signal(unwanted, signal.SIG_IGN)

    def listen(self, at_most_s: float) -> bytes:
        """Wait for something to happen; gives what was said, a part at a time.

        Who says too much is not heard for a while: the pipe is full then, and it has to wait.
        """
        woken = self._woken.fileno()
        pause_s = self._pace.pause_s(time.monotonic())
        heeded = [woken] if pause_s else [woken, self._said]
        longest_s = min(at_most_s, pause_s) if pause_s else at_most_s
        ready, _, _ = select.select(heeded, [], [], max(0.0, longest_s))
        if woken in ready:
            with suppress(BlockingIOError):
                self._woken.recv(READ_BYTES)
        part = self.heard() if self._said in ready else b""
        self._pace.count(len(part), time.monotonic())
        return part

    def heard(self) -> bytes:
        """What was said until now, a part at a time; empty where there is nothing."""
        with suppress(BlockingIOError):
            return os.read(self._said, READ_BYTES)
        return b""

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.asked_to_stop = True
        self.in_a_hurry = self.in_a_hurry or number == AT_ONCE

    def _ignore(self, number: int, frame: FrameType | None) -> None:
        del number, frame
