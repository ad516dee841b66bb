"""How much memory processes hold: what they map, and what they only keep open."""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from stellwerk.providers.services.process.descent import PROC

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
BLOCK_BYTES = 512  # of st_blocks, whatever the file system's are
MOST_HANDLES = 2048  # looked at each time, of all processes together
IN_MEMORY = ("/memfd:", "/dev/shm/")  # noqa: S108  where open files lead that are on no disk


def memory_bytes(pids: Collection[int], enough_bytes: int) -> int:
    """What they hold in memory together, shared pages counted once.

    That sum is dear, so it is made only where counting shared pages each time gives more than
    `enough_bytes`.
    """
    kept = _kept_open_bytes(pids)
    rough = sum(_resident_bytes(pid) for pid in pids)
    if rough + kept <= enough_bytes:
        return rough + kept
    mapped = sum(_proportional_bytes(pid, "Pss:", _resident_bytes(pid)) for pid in pids)
    shared = sum(_proportional_bytes(pid, "Pss_Shmem:", 0) for pid in pids)
    return mapped + max(0, kept - shared)  # what is both open and mapped is there once


def _resident_bytes(pid: int) -> int:
    with suppress(OSError, IndexError):
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * PAGE_BYTES
    return 0


def _proportional_bytes(pid: int, name: str, untold: int) -> int:
    """A line of what the kernel sums up of a process's pages; `untold` where it does not."""
    with suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return untold


def _kept_open_bytes(pids: Collection[int]) -> int:
    """Of open files that are in memory alone: each once, whoever has it open."""
    files = dict(_files_in_memory(pids))
    return sum(files.values())


def _files_in_memory(pids: Collection[int]) -> Iterator[tuple[tuple[int, int], int]]:
    handles = (handle for pid in pids for handle in _handles(pid))
    for handle in islice(handles, MOST_HANDLES):
        with suppress(OSError):  # closed meanwhile
            if str(handle.readlink()).startswith(IN_MEMORY):
                facts = handle.stat()
                yield (facts.st_dev, facts.st_ino), facts.st_blocks * BLOCK_BYTES


def _handles(pid: int) -> list[Path]:
    with suppress(OSError):  # it has ended meanwhile
        return list((PROC / str(pid) / "fd").iterdir())
    return []
