"""Removes what modules leave, whatever they made of it."""

import os
from contextlib import suppress
from pathlib import Path

from stellwerk.providers.services.tree import entries_below


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it, or a file, or a link and not where that leads.

    Fine where there is nothing. Raises OSError, the first one, where something is left.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    errors: list[OSError] = []
    with suppress(FileNotFoundError):  # somebody else was faster
        for entry in entries_below(path):
            remove = os.rmdir if entry.is_folder else os.unlink
            try:
                remove(entry.name, dir_fd=entry.handle)
            except FileNotFoundError:
                continue
            except OSError as exc:
                errors.append(exc)
        if not errors:
            path.rmdir()
    if errors:
        raise OSError(errors[0].errno, errors[0].strerror, str(path)) from errors[0]
