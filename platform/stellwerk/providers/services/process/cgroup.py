"""A service's share of the processors, where the kernel and our rights allow it (cgroup v2).

Elsewhere services are merely nicer than the platform: what they leave each other is up to them.
"""

from contextlib import suppress
from pathlib import Path

MOUNTED = Path("/sys/fs/cgroup")
PARENT = "stellwerk-modules"
PERIOD_US = 100_000


def make_group(name: str, cpus: float, mounted: Path = MOUNTED) -> Path | None:
    """A group whose members have so many processors together; None where there can be none."""
    parent = mounted / PARENT
    folder = parent / name
    try:
        if "cpu" not in (mounted / "cgroup.controllers").read_text().split():
            return None
        folder.mkdir(parents=True, exist_ok=True)
        for above in (mounted, parent):
            (above / "cgroup.subtree_control").write_text("+cpu")
        (folder / "cpu.max").write_text(f"{max(1000, int(cpus * PERIOD_US))} {PERIOD_US}")
    except OSError:
        remove_group(folder)
        return None
    return folder


def remove_group(folder: Path | None) -> None:
    """Forget a group that has no members any more."""
    if folder:
        with suppress(OSError):  # it was never there
            folder.rmdir()
