"""Hands a service's data to its user."""

import os
from pathlib import Path

from stellwerk.providers.services.tree import entries_below

PRIVATE = 0o700


def give_data(data: Path, uid: int | None) -> None:
    """Make the folder where it is missing, and hand it, with what its last owner left, to a user.

    Only files of that last owner change hands: another's may have been linked into the folder.
    """
    data.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    facts = data.stat()
    if facts.st_mode & 0o777 != PRIVATE:
        data.chmod(PRIVATE)
    if uid is None or facts.st_uid == uid:
        return
    for entry in entries_below(data):
        if entry.facts.st_uid == facts.st_uid:
            os.chown(entry.name, uid, uid, dir_fd=entry.handle, follow_symlinks=False)
    os.chown(data, uid, uid)
