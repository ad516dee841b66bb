"""Prepares .venv for the Makefile; needs nothing but some Python 3 and changes nothing else.

Whatever is missing on this machine is named, with the command that installs it, before anything
is downloaded. A second run finds its stamp and does nothing. The syntax stays that of
Python 3.6, so that an old interpreter can still say that it is too old.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "stellwerk-setup"
STAMPED = ("setup.cfg", "setup.py", "pyproject.toml", "constraints.txt")

OLDEST_PYTHON = (3, 11)
OTHER_PYTHONS = ("python3.14", "python3.13", "python3.12", "python3.11")
OLDEST_GLIBC = (2, 34)
MACHINES = ("x86_64", "aarch64", "arm64")
NEEDED_MIB = 2500  # the packages unpacked, with room to work
SUITABLE = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
SAME = "import sys, pip; sys.exit(list(sys.version_info[:2]) != {version})"

# A command that tells the system, how it installs a Python, and how what venv needs.
INSTALLERS = (
    ("apt-get", "apt-get install python3.11 python3.11-venv", "apt-get install {python}-venv"),
    ("dnf", "dnf install python3.11", "dnf install {python}"),
    ("zypper", "zypper install python311", "zypper install {python}"),
    ("apk", "apk add python3", "apk add python3"),
    ("pacman", "pacman -S python", "pacman -S python"),
    ("brew", "brew install python@3.12", "brew install python@3.12"),
)

PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:")
QUIETLY_AS_ROOT = ("--root-user-action=ignore", "--no-warn-script-location")
EVERYTHING = ("--editable", ".[all,dev]")


def main() -> int:
    """Check, then install where the last installation is out of date; returns an exit code."""
    wanted = fingerprint()
    if is_installed(wanted):
        return 0
    move_to_suitable_python()
    problems = all_problems()
    if problems:
        print(problems, file=sys.stderr)
        return 1
    return install(wanted)


def all_problems() -> str:
    """One line for each thing that is missing; empty where nothing is."""
    major, minor = sys.version_info[:2]
    has_venv = util.find_spec("venv") and util.find_spec("ensurepip")
    found = (
        python_problem(major, minor),
        "" if has_venv else venv_problem(major, minor),
        system_problem(sys.platform, platform.machine()),
        glibc_problem(glibc()),
        "" if VENV.is_dir() else space_problem(shutil.disk_usage(str(ROOT)).free // 2**20),
        "" if os.access(str(ROOT), os.W_OK) else f"{ROOT} cannot be written: make your own clone.",
    )
    return "\n".join(f"error: {problem}" for problem in found if problem)


def python_problem(major: int, minor: int) -> str:
    """Too old a Python."""
    if (major, minor) >= OLDEST_PYTHON:
        return ""
    hint = install_hint(1, "python3.11")
    return (
        f"Python {major}.{minor} is too old: 3.11 or newer is needed. {hint}, then run make again."
    )


def venv_problem(major: int, minor: int) -> str:
    """Debian's Python comes without what venv needs."""
    if (major, minor) < OLDEST_PYTHON:
        return ""  # said already; another Python will have its own
    hint = install_hint(2, f"python{major}.{minor}")
    return (
        f"Python's venv module is incomplete (ensurepip is missing). {hint}, then run make again."
    )


def system_problem(system: str, machine: str) -> str:
    """A system or a machine the bundled servers do not exist for."""
    if system not in ("linux", "darwin"):
        return f"Stellwerk runs on Linux and macOS, not on {system}. On Windows use WSL 2."
    if machine not in MACHINES:
        return f"The bundled servers exist for x86_64 and aarch64, not for {machine}."
    return ""


def glibc_problem(version: str) -> str:
    """Too old a C library; musl and macOS have none of it and give an empty version."""
    if not version or tuple(int(part) for part in version.split(".")[:2]) >= OLDEST_GLIBC:
        return ""
    return (
        f"glibc {version} is too old: 2.34 or newer is needed, as in Debian 12, Ubuntu 22.04 or "
        "RHEL 9. In a container: docker run -it -v $PWD:/src -w /src debian:12"
    )


def glibc() -> str:
    """Version of glibc; empty where there is none."""
    try:
        answer = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ""
    return answer.partition(" ")[2]


def space_problem(free_mib: int) -> str:
    """Too small a disk for a first installation."""
    if free_mib >= NEEDED_MIB:
        return ""
    return f"{free_mib} MiB are free in {ROOT} and {NEEDED_MIB} are needed: free some space."


def install_hint(column: int, python: str) -> str:
    """How this system installs what is missing; `column` is one of INSTALLERS."""
    for row in INSTALLERS:
        if shutil.which(row[0]):
            sudo = "" if row[0] == "brew" or os.geteuid() == 0 else "sudo "
            return "Install it: " + sudo + row[column].format(python=python)
    return "Install it (on Debian: " + INSTALLERS[0][column].format(python=python) + ")"


def move_to_suitable_python() -> None:
    """Start over with another Python of this machine where this one will not do."""
    this_does = sys.version_info[:2] >= OLDEST_PYTHON and util.find_spec("ensurepip")
    if this_does:
        return
    for name in OTHER_PYTHONS:
        path = shutil.which(name)
        if path and answers(path, SUITABLE):
            os.execv(path, [path, str(Path(__file__).resolve())])  # noqa: S606  no shell needed


def fingerprint() -> str:
    """What the installation depends on."""
    digest = hashlib.sha256(f"{ROOT} {sys.version_info[:2]}".encode())
    for name in STAMPED:
        path = ROOT / name
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()


def is_installed(wanted: str) -> bool:
    """Whether the last installation was complete, is up to date, and still starts."""
    return STAMP.exists() and STAMP.read_text() == wanted and answers(str(PYTHON), "")


def install(wanted: str) -> int:
    """Make the environment and fill it, with wheels only: nothing is compiled."""
    if not answers(str(PYTHON), SAME.format(version=list(sys.version_info[:2]))):
        print(f"Making .venv with Python {platform.python_version()}", flush=True)
        subprocess.check_call([sys.executable, "-m", "venv", "--clear", str(VENV)])  # noqa: S603  ours
    print("Installing packages into .venv; the first time takes a few minutes", flush=True)
    constraints = ("-c", "constraints.txt") if (ROOT / "constraints.txt").exists() else ()
    command = [str(PYTHON), *PIP, *QUIETLY_AS_ROOT, *constraints, *EVERYTHING]
    if subprocess.call(command, cwd=str(ROOT)) != 0:  # noqa: S603  pip, with options from above
        print("error: pip could not install everything; its reason stands above.", file=sys.stderr)
        return 1
    STAMP.write_text(wanted)
    return 0


def answers(python: str, code: str) -> bool:
    """Whether an interpreter is there and runs some code without complaint."""
    try:
        return subprocess.call([python, "-c", code], stderr=subprocess.DEVNULL) == 0  # noqa: S603  ours
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
