"""What the simulator was asked, for tests: every number dialled, and every byte received."""

import json
import os
from collections import Counter
from pathlib import Path

LARGEST_BYTES = 16 * 1024 * 1024  # of a file at the start of a simulator; then it begins anew
DIALS = "dials.log"
RECEIVED = "received.log"


class Diary:
    """Two files in a folder, which outlive the simulator; without a folder, memory alone."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.received = bytearray()
        self._dials: Counter[str] = Counter()
        if folder:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in (DIALS, RECEIVED):
                _shorten(folder / name)
            self._dials.update(dials_in(folder))

    @property
    def dials(self) -> dict[str, int]:
        """How often each number was dialled."""
        return dict(self._dials)

    def dialled(self, number: str) -> None:
        """A call went out to a number; it is on disk before anything is told of it."""
        self._dials[number] += 1
        self._append(DIALS, f"{json.dumps(number)}\n".encode())

    def heard(self, data: bytes) -> None:
        """Bytes that a client sent; the password is none of them."""
        if data.lstrip().startswith(b"auth "):
            data = b"auth ***\n\n" + data.partition(b"\n\n")[2]
        self.received += data
        if len(self.received) > LARGEST_BYTES:
            del self.received[: LARGEST_BYTES // 2]
        self._append(RECEIVED, data)

    def _append(self, name: str, data: bytes) -> None:
        if not self._folder:
            return
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
        handle = os.open(self._folder / name, flags, 0o600)
        try:
            os.write(handle, data)
        finally:
            os.close(handle)


def dials_in(folder: Path) -> Counter[str]:
    """How often each number was dialled, by the file that a simulator keeps in its folder."""
    path = folder / DIALS
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter(str(json.loads(line)) for line in lines)


def _shorten(path: Path) -> None:
    if path.exists() and path.stat().st_size > LARGEST_BYTES:
        path.unlink()
