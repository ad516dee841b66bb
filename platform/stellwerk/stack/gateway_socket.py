"""Where the gateway of modules is told its routes: a socket that our own user alone may open."""

import os
import shutil
import tempfile
from pathlib import Path

from stellwerk.stack.home import Home, read_json, write_json

LONGEST_BYTES = 100  # of a socket's path: sun_path has 108 on Linux, 104 on macOS
RECORD = "gateway.json"


def admin_socket(home: Path) -> Path:
    """In the home where its path is short enough, else in a private folder recorded there."""
    usual = home / "gateway" / "admin.sock"
    if len(os.fsencode(usual)) <= LONGEST_BYTES:
        return usual
    recorded = read_json(home / RECORD).get("folder")
    if recorded and _is_ours_alone(Path(recorded)):
        return Path(recorded) / usual.name
    folder = Path(tempfile.mkdtemp(prefix="stellwerk-gateway-"))
    write_json(home / RECORD, {"folder": str(folder)})
    return folder / usual.name


def remove_admin_socket(home: Home) -> None:
    """Remove what `admin_socket` made outside of the home; nothing may be running on it."""
    recorded = read_json(home.path / RECORD).get("folder")
    if recorded and _is_ours_alone(Path(recorded)):
        shutil.rmtree(recorded)
    (home.path / RECORD).unlink(missing_ok=True)


def _is_ours_alone(folder: Path) -> bool:
    try:
        facts = folder.lstat()
    except FileNotFoundError:
        return False
    return folder.is_dir() and facts.st_uid == os.geteuid() and not facts.st_mode & 0o077
