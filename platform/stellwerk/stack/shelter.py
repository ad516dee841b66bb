"""Folders for what runs as another user under root, where the home is out of that user's reach.

They lie under /var/lib, else in a temporary folder; each is recorded in its home. Modes of folders
that are not ours stay as they are.
"""

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from stellwerk.errors import StackError
from stellwerk.stack.accounts import Account

SHELTER = Path("/var/lib/stellwerk")
LAST_RESORTS = (Path("/var/tmp"), Path("/tmp"))  # noqa: S108  private folders are made inside
OWNER_NOTE = "home"  # in a sheltered folder: whose it is
PASSABLE = 0o711

# What is sheltered, by the first part of its folder's name, and where its home records it.
RECORDS = MappingProxyType({"data": "postgres.json", "modules": "modules.json"})


def shelter_for(account: Account) -> Path:
    """A folder of root's that the account may pass through, made where it is missing."""
    with suppress(OSError):  # a read-only system, or one that has it already
        SHELTER.mkdir()
        SHELTER.chmod(PASSABLE)
    usable = SHELTER.is_dir() and _is_roots_alone(SHELTER) and account.can_enter(SHELTER)
    return SHELTER if usable else _temporary_shelter(account)


def sheltered_folder(kind: str, home: Path, account: Account) -> Path:
    """A new folder of root's for one home; the caller records it there."""
    folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=shelter_for(account)))
    (folder / OWNER_NOTE).write_text(f"{home}\n")
    return folder


def orphans() -> list[tuple[Path, Path]]:
    """Sheltered folders whose home is gone, each with that home."""
    return [
        (folder, home)
        for kind, record in RECORDS.items()
        for folder, home in _noted(kind)
        if not (home / record).exists()
    ]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One at a time; several stacks may be starting."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _noted(kind: str) -> Iterator[tuple[Path, Path]]:
    if not os.access(SHELTER, os.R_OK):
        return
    for note in SHELTER.glob(f"{kind}-*/{OWNER_NOTE}"):
        yield note.parent, Path(note.read_text().strip())


def _temporary_shelter(account: Account) -> Path:
    for parent in LAST_RESORTS:
        if not os.access(parent, os.W_OK):
            continue
        earlier = [path for path in parent.glob("stellwerk-shelter-*") if _is_roots_alone(path)]
        shelter = (
            earlier[0] if earlier else Path(tempfile.mkdtemp("", "stellwerk-shelter-", parent))
        )
        shelter.chmod(PASSABLE)
        return shelter
    raise StackError(
        f"Under root, some things run as {account.name}, and no folder in its reach is writable."
    )


def _is_roots_alone(folder: Path) -> bool:
    facts = folder.lstat()
    others_write = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == 0 and not others_write
