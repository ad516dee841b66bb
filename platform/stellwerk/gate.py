"""Leaves a backend alone for a moment after it failed, so that not every request waits for it."""

import time
from threading import Lock


class Gate:
    """Open while the backend works; after `trip` it is shut for `pause_s`."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s
        self._shut_until = 0.0
        self._lock = Lock()

    def is_open(self) -> bool:
        """Whether to try. When a pause ends, one caller tries and the others wait for it."""
        now = time.monotonic()
        with self._lock:
            if now < self._shut_until:
                return False
            if self._shut_until:
                self._shut_until = now + self.pause_s
            return True

    def is_shut(self) -> bool:
        """Whether it failed a moment ago; asking grants no try."""
        return time.monotonic() < self._shut_until

    def trip(self) -> None:
        """It failed: shut for the pause."""
        with self._lock:
            self._shut_until = time.monotonic() + self.pause_s

    def recover(self) -> None:
        """It worked."""
        self._shut_until = 0.0
