"""A service's share of the machine, where the kernel and our rights allow it (cgroup v2).

Elsewhere services are merely nicer than the platform, and what they take is measured.
"""

from contextlib import suppress
from pathlib import Path

from stellwerk.providers.services.protocol import Limits

MOUNTED = Path("/sys/fs/cgroup")
PARENT = "stellwerk-modules"
PERIOD_US = 100_000
PROCESSES_BEYOND = 2  # so that what is too many is seen, and ended


def make_group(name: str, limits: Limits, mounted: Path = MOUNTED) -> Path | None:
    """A group whose members stay within its limits together; None where there can be none.

    Of limits whose controller is missing it has none.
    """
    parent = mounted / PARENT
    folder = parent / name
    try:
        known = set((mounted / "cgroup.controllers").read_text().split())
        wanted = {file: text for file, text in _files(limits).items() if _kind(file) in known}
        if not wanted:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        enabled = " ".join(sorted({f"+{_kind(file)}" for file in wanted}))
        for above in (mounted, parent):
            (above / "cgroup.subtree_control").write_text(enabled)
        for file, text in wanted.items():
            _write(folder / file, text)
    except OSError:
        remove_group(folder)
        return None
    return folder


def ran_out_of_memory(name: str, mounted: Path = MOUNTED) -> bool:
    """Whether the kernel ended something of the group since it was made, for its memory."""
    with suppress(OSError, ValueError):
        events = (mounted / PARENT / name / "memory.events").read_text().split()
        return int(dict(zip(events[::2], events[1::2], strict=True)).get("oom_kill", 0)) > 0
    return False


def remove_group(folder: Path | None) -> None:
    """Forget a group that has no members any more."""
    if folder:
        with suppress(OSError):  # it was never there
            folder.rmdir()


def _files(limits: Limits) -> dict[str, str]:
    return {
        "cpu.max": f"{max(1000, int(limits.cpus * PERIOD_US))} {PERIOD_US}",
        "memory.max": str(limits.memory_bytes),
        "memory.swap.max": "0",
        "memory.oom.group": "1",  # all of it ends, rather than a part that nobody misses
        "pids.max": str(PROCESSES_BEYOND * limits.processes),
    }


def _kind(file: str) -> str:
    """The controller that a file is of."""
    return file.partition(".")[0]


def _write(path: Path, text: str) -> None:
    with suppress(FileNotFoundError):  # memory.swap.max, on a machine that counts no swap
        path.write_text(text)
