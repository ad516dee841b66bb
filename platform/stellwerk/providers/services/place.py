"""Where modules are installed.

Under root each instance runs as a user of its own, who has to pass through every folder above its
release. Where the home lies below a folder that only root may enter, modules get a place in a
shelter, recorded in the home.
"""

import os
from contextlib import suppress
from pathlib import Path

from stellwerk.errors import StackError
from stellwerk.providers.services.removal import remove_tree
from stellwerk.providers.services.users import release_users
from stellwerk.settings import Settings
from stellwerk.stack.accounts import Account
from stellwerk.stack.home import read_json, write_json
from stellwerk.stack.shelter import PASSABLE, RECORDS, locked, sheltered_folder

KIND = "modules"
RECORD = RECORDS[KIND]


def modules_dir(settings: Settings) -> Path:
    """The folder of all modules, made where it is missing.

    Raises StackError where the recorded one is gone, or none can be made.
    """
    if settings.modules_dir:
        return _made(settings.modules_dir.absolute())
    home = settings.home.absolute()
    if os.geteuid() != 0:
        return _made(home / KIND)
    home.mkdir(mode=PASSABLE, parents=True, exist_ok=True)
    with locked(home):
        return _recorded(home) or _chosen(home, module_account(settings.module_users_from))


def known_modules_dir(settings: Settings) -> Path | None:
    """The same where it is there already; None before the first module."""
    return known_folder(settings.home.absolute(), settings.modules_dir)


def known_folder(home: Path, given: Path | None) -> Path | None:
    """The same for a home and what its settings say."""
    folder = given or _record(home) or home / KIND
    return folder.absolute() if folder.is_dir() else None


def module_account(uid: int) -> Account:
    """The user of an instance: a number alone, of which the system's files know nothing."""
    return Account(f"user {uid}", uid, uid)


def remove_modules(home: Path) -> None:
    """Delete a home's modules for good, wherever they are. None may be running."""
    for folder in {_record(home) or home / KIND, home / KIND}:
        if folder.is_dir():
            remove_tree(folder)
    (home / RECORD).unlink(missing_ok=True)
    release_users(home)


def _record(home: Path) -> Path | None:
    record = read_json(home / RECORD).get("folder")
    return home / record if record else None  # absolute ones stay as they are


def _recorded(home: Path) -> Path | None:
    folder = _record(home)
    if folder is None or folder.is_dir():
        return folder
    message = (
        f"The modules of this home were in {folder}, which is gone. Restore it, or remove "
        f"{home / RECORD} to begin with none."
    )
    raise StackError(message)


def _chosen(home: Path, account: Account) -> Path:
    folder = _made(home / KIND)
    if account.can_enter(folder):
        write_json(home / RECORD, {"folder": KIND})  # below the home, wherever that is moved
        return folder
    with suppress(OSError):  # not ours to empty
        folder.rmdir()
    folder = _made(sheltered_folder(KIND, home, account))
    write_json(home / RECORD, {"folder": str(folder)})
    return folder


def _made(folder: Path) -> Path:
    if not folder.is_dir():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StackError(f"{folder} cannot be made: {exc.strerror}.") from exc
    if folder.stat().st_uid == os.geteuid() and folder.stat().st_mode & 0o777 != PASSABLE:
        folder.chmod(PASSABLE)  # others pass through, whatever the umask; they do not look
    return folder
