"""Where Postgres keeps its data, and as whom it runs.

Postgres refuses to be root. Started by root it runs as `nobody`, who must reach its programs and
its data. Where the home or the installation lie below a folder that only root may enter, both
get a place in a shelter, recorded in the home. Modes of folders that are not ours stay as they
are, and no user is added.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from stellwerk.errors import StackError
from stellwerk.stack.accounts import Account, account_of, unprivileged
from stellwerk.stack.home import Home, read_json, write_json
from stellwerk.stack.postgres_programs import NEEDED, Programs, find_programs
from stellwerk.stack.shelter import RECORDS, locked, shelter_for, sheltered_folder

SHELTERED = "data"
RECORD = RECORDS[SHELTERED]


@dataclass(frozen=True, slots=True)
class Place:
    """One home's Postgres: `folder` holds `data`; `account` is None to run as ourselves."""

    programs: Programs
    folder: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """The cluster (PGDATA)."""
        return self.folder / "data"


def find_place(home: Home) -> Place:
    """The place of this home's Postgres, made where it is missing.

    Raises StackError where recorded data is gone, or is another user's.
    """
    programs = find_programs()
    folder = recorded_folder(home)
    if os.geteuid() != 0:
        return Place(programs, _own_folder(folder or home.path / "postgres"), None)
    account = (account_of(folder) if folder else None) or unprivileged()
    if folder is None:
        folder = _reachable_folder(home, account)
        write_json(home.path / RECORD, {"folder": str(folder)})
    return Place(_reachable_programs(programs, account), folder, account)


def recorded_folder(home: Home) -> Path | None:
    """Where this home's data is; None before the first start.

    Raises StackError where it ought to be but is not, rather than begin an empty one.
    """
    usual = home.path / "postgres"
    record = read_json(home.path / RECORD).get("folder")
    folder = Path(record) if record else usual
    if folder.is_dir():
        return folder if folder.stat().st_uid else None  # root's: made, not yet handed over
    if record and folder != usual:
        message = (
            f"The database of this home was in {folder}, which is gone. Restore it, or remove "
            f"{home.path / RECORD} to begin with an empty one."
        )
        raise StackError(message)
    return None


def remove_data(home: Home) -> None:
    """Delete this home's cluster for good, wherever it is. Nothing may be running on it."""
    folder = recorded_folder(home)
    if folder:
        shutil.rmtree(folder)
    (home.path / RECORD).unlink(missing_ok=True)


def _own_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        owner = account_of(folder)
        message = (
            f"The database in {folder} belongs to {owner.name if owner else 'root'}: start as the "
            "same user as before (root for `nobody`), or set STELLWERK_HOME to another folder."
        )
        raise StackError(message)
    return folder


def _reachable_folder(home: Home, account: Account) -> Path:
    """A folder that is the account's own: in the home, else in the shelter."""
    usual = home.path / "postgres"
    usual.mkdir(mode=0o700, exist_ok=True)
    account.own(usual)
    if account.can_write_in(usual):
        return usual
    usual.rmdir()
    folder = sheltered_folder(SHELTERED, home.path, account)
    account.own(folder)
    return folder


def _reachable_programs(programs: Programs, account: Account) -> Programs:
    """Programs the account may run: the installed ones, else a copy in the shelter."""
    if _runs(programs, account):
        return programs
    if not programs.relocatable:
        raise StackError(f"{account.name} may not run {programs.path('postgres')}.")
    shelter = shelter_for(account)
    wanted = replace(programs, root=shelter / f"postgres-{programs.version}")
    with locked(shelter):
        if not _runs(wanted, account):
            _copy(programs.root, wanted.root)
    if not _runs(wanted, account):
        raise StackError(f"{account.name} may not run {wanted.path('postgres')}: mounted noexec?")
    return wanted


def _runs(programs: Programs, account: Account) -> bool:
    program = programs.path("postgres")
    script = 'exec "$1" --version'
    answer = account.run("/bin/sh", "-c", script, "sh", program)
    return answer.returncode == 0 and programs.version in answer.stdout


def _copy(source: Path, target: Path) -> None:
    """Copy the server's part of an installation; readable by all, writable by root alone."""
    fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
    (fresh / "bin").mkdir()
    for name in NEEDED:
        shutil.copy(source / "bin" / name, fresh / "bin")
    for name in ("lib", "share"):
        shutil.copytree(source / name, fresh / name, ignore=shutil.ignore_patterns("*.a", "pgxs"))
    for path in (fresh, *fresh.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    if target.exists():
        shutil.rmtree(target)
    fresh.rename(target)
