"""Large downloads under way: each has a thread until its client has read it, so they are few."""

from collections import Counter
from collections.abc import Iterator
from threading import Lock

from stellwerk.errors import Unavailable

MOST = 64  # of a process
MOST_OF_ONE = 32  # of these, by one user
RETRY_AFTER_S = 5.0


class Downloads:
    """Counts those of this process."""

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._present: Counter[int] = Counter()
        self._lock = Lock()

    def begin(self, user_id: int) -> "Download":
        """Count one more, until it is closed; raises Unavailable."""
        with self._lock:
            if self._present.total() >= self._most or self._present[user_id] >= self._most_of_one:
                message = "Too many downloads are under way. Try again when some have ended."
                raise Unavailable(message, retry_after_s=RETRY_AFTER_S)
            self._present[user_id] += 1
        return Download(self, user_id)

    def end(self, user_id: int) -> None:
        """Count one less."""
        with self._lock:
            self._present[user_id] -= 1
            self._present += Counter()  # forgets users who have none


class Download:
    """The blocks of one, once they are there."""

    def __init__(self, downloads: Downloads, user_id: int) -> None:
        self._downloads = downloads
        self._user_id = user_id
        self._is_open = True
        self.blocks: Iterator[bytes] = iter(())

    def __iter__(self) -> Iterator[bytes]:
        return self.blocks

    def close(self) -> None:
        """WSGI servers call it at the end, whatever the end was."""
        if self._is_open:
            self._is_open = False
            self._downloads.end(self._user_id)
