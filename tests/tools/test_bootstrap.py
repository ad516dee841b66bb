import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bootstrap.py"
WITHOUT_ENSUREPIP = (
    "import runpy, sys\n"
    "sys.modules['ensurepip'] = None\n"
    "runpy.run_path(sys.argv[1], run_name='__main__')\n"
)


@pytest.fixture
def bootstrap() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    shutil.copy(SCRIPT, tmp_path / "tools")
    return tmp_path


def apt_machine(folder: Path) -> dict[str, str]:
    """A PATH with nothing on it but something named apt-get."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "apt-get").write_text("#!/bin/sh\nexit 1\n")
    (programs / "apt-get").chmod(0o755)
    return {"PATH": str(programs)}


def test_a_missing_venv_module_is_named_with_the_command_that_installs_it(clone: Path) -> None:
    answer = subprocess.run(  # noqa: S603  our own script
        [sys.executable, "-c", WITHOUT_ENSUREPIP, str(clone / "tools" / "bootstrap.py")],
        env=apt_machine(clone),
        capture_output=True,
        text=True,
        check=False,
    )
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    assert answer.returncode == 1
    assert "Python's venv module is incomplete (ensurepip is missing)." in answer.stderr
    assert f"apt-get install {version}-venv" in answer.stderr
    assert not (clone / ".venv").exists()


def test_too_old_a_python_is_named(bootstrap: dict[str, Any]) -> None:
    assert bootstrap["python_problem"](3, 11) == ""
    assert bootstrap["python_problem"](3, 9).startswith("Python 3.9 is too old: 3.11 or newer")


@pytest.mark.parametrize(("version", "fits"), [("2.36", True), ("2.34", True), ("2.31", False)])
def test_too_old_a_glibc_is_named_and_musl_is_not_taken_for_one(
    bootstrap: dict[str, Any], version: str, *, fits: bool
) -> None:
    assert (bootstrap["glibc_problem"](version) == "") is fits
    assert bootstrap["glibc_problem"]("") == ""


def test_a_machine_without_bundled_servers_is_named(bootstrap: dict[str, Any]) -> None:
    assert bootstrap["system_problem"]("linux", "x86_64") == ""
    assert "not for armv7l" in bootstrap["system_problem"]("linux", "armv7l")
    assert "WSL 2" in bootstrap["system_problem"]("win32", "AMD64")


def test_a_full_disk_is_named(bootstrap: dict[str, Any]) -> None:
    assert "100 MiB are free" in bootstrap["space_problem"](100)
    assert bootstrap["space_problem"](10_000) == ""


def test_a_second_run_finds_its_stamp_and_does_nothing(clone: Path) -> None:
    script = clone / "tools" / "bootstrap.py"
    subprocess.run(  # noqa: S603  the standard library's venv
        [sys.executable, "-m", "venv", "--without-pip", str(clone / ".venv")], check=True
    )
    fingerprint = runpy.run_path(str(script))["fingerprint"]()
    (clone / ".venv" / "stellwerk-setup").write_text(fingerprint)
    before = os.listdir(clone / ".venv")  # noqa: PTH208  names are all that is compared
    answer = subprocess.run(  # noqa: S603  our own script
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert os.listdir(clone / ".venv") == before  # noqa: PTH208  as above


def test_a_changed_input_makes_the_installation_out_of_date(clone: Path) -> None:
    script = str(clone / "tools" / "bootstrap.py")
    before = runpy.run_path(script)["fingerprint"]()
    (clone / "setup.cfg").write_text("[metadata]\n")
    assert runpy.run_path(script)["fingerprint"]() != before
