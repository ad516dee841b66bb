"""Shows the lines of several logs on one terminal, each with its process's name."""

from collections.abc import Callable
from pathlib import Path

LARGEST_LOG_BYTES = 32 * 1024 * 1024


class LogFollower:
    """Prints what is appended to a folder's logs from now on."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._read_bytes = {log: log.stat().st_size for log in folder.glob("*.log")}

    def pump(self) -> None:
        """Print the complete lines that are new."""
        for log in sorted(self._folder.glob("*.log")):
            self._pump(log)

    def _pump(self, log: Path) -> None:
        start = self._read_bytes.get(log, 0)
        if log.stat().st_size < start:
            start = 0
        with log.open("rb") as file:
            file.seek(start)
            complete, newline, _ = file.read().rpartition(b"\n")
        self._read_bytes[log] = start + len(complete) + len(newline)
        for line in complete.decode(errors="replace").splitlines():
            self._say(f"{log.stem:<12} | {line}")


def shorten_logs(folder: Path) -> None:
    """Move what is over 32 MiB to `<name>.log.1`; writers append, so they go on undisturbed."""
    for log in folder.glob("*.log"):
        if log.stat().st_size > LARGEST_LOG_BYTES:
            log.with_name(f"{log.name}.1").write_bytes(log.read_bytes())
            with log.open("r+b") as file:
                file.truncate(0)
