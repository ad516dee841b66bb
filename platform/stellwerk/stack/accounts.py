"""The user a server runs as, where we are root and it refuses to be."""

import grp
import os
import pwd
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from stellwerk.errors import StackError

UNPRIVILEGED = "nobody"
BARE = MappingProxyType({"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"})


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the system, or the number of one; none is ever added."""

    name: str
    uid: int
    gid: int

    def run(
        self, *argv: str, timeout_s: float = 60.0, environment: Mapping[str, str] = BARE
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this user, in `/`, without further groups.

        It gets nothing of our own environment: this user's other processes may read what it gets.
        """
        return subprocess.run(  # noqa: S603  callers pass programs of Postgres and /bin/sh
            argv,
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            cwd="/",
            umask=0o077,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def can_write_in(self, folder: Path) -> bool:
        """Whether this user gets into a folder and may write there; asked of the kernel."""
        script = 'cd "$1" && test -w .'
        return self.run("/bin/sh", "-c", script, "sh", str(folder)).returncode == 0

    def can_enter(self, folder: Path) -> bool:
        """Whether this user may pass through a folder."""
        return self.run("/bin/sh", "-c", 'cd "$1"', "sh", str(folder)).returncode == 0

    def own(self, path: Path) -> None:
        """Hand a path that is ours to this user."""
        os.chown(path, self.uid, self.gid)


def unprivileged() -> Account:
    """The system's `nobody`; raises StackError where there is none."""
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
        grp.getgrgid(entry.pw_gid)
    except KeyError as exc:
        message = (
            "Postgres refuses to run as root and this system has no user `nobody`. "
            "Run Stellwerk as another user, or set DATABASE_URL to a Postgres of yours."
        )
        raise StackError(message) from exc
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def account_of(path: Path) -> Account | None:
    """The user who owns a path; None where that is root or nobody knows the uid."""
    uid = path.stat().st_uid
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid) if uid else None
