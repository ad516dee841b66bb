"""One change of a service at a time, whichever process makes it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def change_of(folder: Path) -> Iterator[Path]:
    """Wait for earlier changes of the service in this folder; gives the lock, to be removed last.

    The lock lies beside the folder, which comes and goes.
    """
    path = folder.with_name(f"{folder.name}.lock")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = _taken(path)
    try:
        yield path
    finally:
        os.close(handle)


def _taken(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if _is_still(path, handle):
            return handle
        os.close(handle)  # its holder removed it with the service; the next one is another file


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
