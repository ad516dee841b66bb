"""Virtual environments of other systems, with exactly the packages named in requirements/."""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE / ".venvs"
REQUIREMENTS = HERE / "requirements"


def scripts_of(name: str) -> Path:
    """The environment's folder of programs; it is made where it is missing or out of date."""
    folder, wanted = ENVIRONMENTS / name, REQUIREMENTS / f"{name}.txt"
    stamp = folder / "requirements.sha256"
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        print(f"  installing {name} into {folder}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        _install(folder, wanted)
        stamp.write_text(digest)
    return folder / "bin"


def versions_of(name: str) -> dict[str, str]:
    """Its packages and their versions."""
    lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if "==" in line)
    return {package.lower(): version for package, version in pairs}


def _install(folder: Path, wanted: Path) -> None:
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check")
    subprocess.run(  # noqa: S603  pip of an environment of ours
        [*pip, "-qq", "--only-binary=:all:", "--requirement", str(wanted)], check=True
    )
