"""A Python that the users of modules may run: most modules' commands begin with `python3`."""

import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from stellwerk.errors import StackError
from stellwerk.stack.accounts import Account
from stellwerk.stack.shelter import locked, shelter_for

OLDEST = "3.11"
SYSTEMS = Path("/usr/bin")
LEFT_OUT = (
    "site-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "__pycache__",
    "config-*",
    "*.a",
)
# Its library is looked for where it was built, and then by chance: another one of that name.
WRAPPER = """\
#!/bin/sh
LD_LIBRARY_PATH='{target}/lib'${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}
export LD_LIBRARY_PATH
exec '{target}/bin/{name}' "$@"
"""
VERSION = ".".join(str(part) for part in sys.version_info[:3])


def search_path(account: Account | None) -> str:
    """The variable PATH of modules: a folder with `python3` first. None: they run as ourselves.

    Raises StackError where no interpreter can be had.
    """
    folders = [_python_folder(account), SYSTEMS, Path("/bin")]
    return ":".join(dict.fromkeys(str(folder) for folder in folders))


@cache
def _python_folder(account: Account | None) -> Path:
    own = Path(sys.base_prefix) / "bin"
    if account is None or runs_python(own, account):
        return own
    if runs_python(SYSTEMS, account):
        return SYSTEMS
    return sheltered_python(account)


def runs_python(folder: Path, account: Account) -> bool:
    """Whether the account may run a `python3` there that is new enough."""
    if not (folder / "python3").exists():
        return False
    oldest = tuple(int(part) for part in OLDEST.split("."))
    script = f"import json, ssl, sys; sys.exit(sys.version_info < {oldest})"
    shell = ("/bin/sh", "-c", 'exec "$@"', "sh")  # it answers where it may not; Popen would raise
    return account.run(*shell, str(folder / "python3"), "-I", "-S", "-c", script).returncode == 0


def sheltered_python(account: Account) -> Path:
    """A copy of our own, without what was installed into it; made where it is missing.

    Raises StackError where the copy does not run.
    """
    shelter = shelter_for(account)
    wanted = shelter / f"python-{VERSION}"
    with locked(shelter):
        if not runs_python(wanted / "bin", account):
            _copy(Path(sys.base_prefix), wanted)
    if not runs_python(wanted / "bin", account):
        message = (
            f"Modules run as {account.name}, who may run no Python {OLDEST} or newer here. "
            "Install python3 of the system."
        )
        raise StackError(message)
    return wanted / "bin"


def _copy(source: Path, target: Path) -> None:
    """Interpreter and standard library; readable by all, writable by root alone."""
    short = f"python{sys.version_info.major}.{sys.version_info.minor}"
    fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
    (fresh / "bin").mkdir()
    shutil.copy(source / "bin" / short, fresh / "bin" / short)
    (fresh / "bin" / "python3").write_text(WRAPPER.format(target=target, name=short))
    ignored = shutil.ignore_patterns(*LEFT_OUT)
    shutil.copytree(source / "lib" / short, fresh / "lib" / short, ignore=ignored)
    for library in (source / "lib").glob("libpython*.so*"):
        shutil.copy(library, fresh / "lib")
    for path in (fresh, *fresh.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    if target.exists():
        shutil.rmtree(target)
    fresh.rename(target)
