"""An outside world that keeps count: a folder with a file for each idempotency key.

It stands for a provider in `diagnostics.effect`. Every call is a line of its key's file, so it
tells independently of the ledger what really happened, whatever was killed meanwhile.
"""

import fcntl
from collections.abc import Mapping
from pathlib import Path

from stellwerk.settings import Settings


class Recorder:
    """Counts calls by their idempotency key; any number of processes may use one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def record(self, key: str, line: str, *, once: bool) -> int:
        """Do it, and return how often it was done; `once` refuses to do a key's again."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / key).open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            done = len(file.readlines())
            if once and done:
                return done
            file.write(f"{line}\n")
        return done + 1

    def times(self, key: str) -> int:
        """How often it was done."""
        path = self._folder / key
        return len(path.read_text().splitlines()) if path.exists() else 0

    def counts(self) -> Mapping[str, int]:
        """How often each key's was done; keys start with their job's id."""
        paths = self._folder.glob("*-*")
        return {path.name: len(path.read_text().splitlines()) for path in paths}


def recorder(settings: Settings) -> Recorder:
    """The installation's: `diagnostics/effects` in its home."""
    return Recorder(settings.home.absolute() / "diagnostics" / "effects")
