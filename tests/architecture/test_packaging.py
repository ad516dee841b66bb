"""What is built holds what is needed, and the platform folder hides nothing."""

import platform
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = ("platform", "api", "workers")
SHIPPED = ("Procfile", "deploy/Caddyfile", "migrations/env.py")


def test_platform_stays_pythons_own() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert platform.python_version()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  our own build
    return folder


def test_the_wheel_holds_every_module_and_what_is_shipped(built: Path) -> None:
    wheel = next(built.glob("*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())

    assert set(_modules()) <= names
    assert "celeryconfig.py" in names
    for file in SHIPPED:
        assert any(name.endswith(f"/share/stellwerk/{file}") for name in names), file


def test_the_source_distribution_holds_everything_to_build_it_again(built: Path) -> None:
    archive = next(built.glob("*.tar.gz"))
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}

    modules = {str(path.relative_to(ROOT)) for path in _sources()}
    assert modules <= names
    assert {"setup.py", "setup.cfg", "celeryconfig.py", *SHIPPED} <= names


def _sources() -> Iterator[Path]:
    for root in SOURCE_ROOTS:
        for path in (ROOT / root).rglob("*"):
            if path.is_file() and path.suffix != ".pyc" and ".egg-info" not in str(path):
                yield path


def _modules() -> Iterator[str]:
    for path in _sources():
        yield str(path.relative_to(ROOT / path.relative_to(ROOT).parts[0]))
