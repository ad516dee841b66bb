"""The folder that holds everything an embedded stack keeps: data, logs, secrets, stack.json."""

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stellwerk.errors import StackError

MIB = 1024 * 1024
FREE_REFUSED_BYTES = 50 * MIB
FREE_WARNED_BYTES = 200 * MIB
UNWRITABLE = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOTDIR,
        errno.EEXIST,
        errno.ENOENT,  # what /proc answers to mkdir
        errno.EINVAL,
        errno.ELOOP,
        errno.ENAMETOOLONG,
    }
)
SECRET_NAMES = (
    "jwt_secret_key",
    "encryption_key",
    "database_password",
    "redis_password",
    "flower_password",
    "scrape_token",
    "realtime_token",
    "edge_token",
    "esl_password",
)


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below `STELLWERK_HOME`; `path` is absolute."""

    path: Path

    @property
    def logs(self) -> Path:
        """One file per process, named after it."""
        return self.path / "logs"

    @property
    def stack_file(self) -> Path:
        """URLs and processes of the stack that runs, or ran last."""
        return self.path / "stack.json"

    @property
    def lock_file(self) -> Path:
        """Held by the `stellwerk up` that runs here; names its pid and URL."""
        return self.path / "lock"

    @property
    def secrets_file(self) -> Path:
        """Passwords and keys made at the first start; readable by the owner alone."""
        return self.path / "secrets.json"

    @property
    def ports_file(self) -> Path:
        """Ports of the last start, taken again while they are free."""
        return self.path / "ports.json"

    def prepare(self) -> None:
        """Make the folders; raises StackError where that or writing there is impossible."""
        with clear_disk_errors(self.path):
            # Others may pass through (Postgres runs as another user under root), not look.
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            probe = self.path / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink()

    def free_bytes(self) -> int:
        """Free space of the disk the home lies on."""
        return shutil.disk_usage(self.path).free

    def secrets(self) -> dict[str, str]:
        """The home's secrets, made where one is missing and never changed after that."""
        known = self.known_secrets()
        wanted = {name: known.get(name) or secrets.token_urlsafe(32) for name in SECRET_NAMES}
        if wanted != known:
            write_json(self.secrets_file, wanted, mode=0o600)
        return wanted

    def known_secrets(self) -> dict[str, str]:
        """The secrets made so far; empty before the first start."""
        return {name: str(value) for name, value in read_json(self.secrets_file).items()}


def require_space(folder: Path) -> str:
    """Return a warning, or an empty string; raises StackError under 50 MiB of free space."""
    free = shutil.disk_usage(folder).free
    room = f"{free // MIB} MiB free on the disk of {folder}"
    if free < FREE_REFUSED_BYTES:
        raise StackError(f"Only {room}. Free some, or set STELLWERK_HOME to another disk.")
    return f"Only {room}; 200 MiB or more are advised." if free < FREE_WARNED_BYTES else ""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where the file is missing. Raises StackError where it is damaged."""
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as exc:
        raise StackError(f"{path} is damaged: {exc}. Restore it, or remove it.") from exc
    return dict(content)


def write_json(path: Path, content: Mapping[str, Any], *, mode: int = 0o644) -> None:
    """Replace a file at once: a reader sees the old content or the new, never a part."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    with os.fdopen(handle, "w") as file:
        os.fchmod(handle, mode)
        json.dump(content, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(handle)
    fresh.replace(path)


@contextmanager
def clear_disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full, read-only or forbidden disk into a StackError that names the folder."""
    try:
        yield
    except OSError as exc:
        place = exc.filename or folder
        if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StackError(f"The disk of {folder} is full. Free some space, then retry.") from exc
        if exc.errno in UNWRITABLE:
            hint = "Set STELLWERK_HOME to a folder you may write to."
            raise StackError(f"{place} cannot be written: {exc.strerror}. {hint}") from exc
        raise
