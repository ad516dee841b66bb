"""What is built holds what is needed, and the platform folder hides nothing."""

import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = ("platform", "api", "workers")
SHIPPED = (
    "Procfile",
    "deploy/Caddyfile",
    "deploy/Gateway.caddyfile",
    "deploy/envelope.caddyfile",
    "deploy/systemd/stellwerk-telephony.service",
    "deploy/systemd/stellwerk-worker@.service",
    "deploy/prometheus/alerts.yml",
    "deploy/grafana/stellwerk.json",
    "migrations/env.py",
    "modules/repository/index.json",
    "modules/repository/clock-1.0.0.tar.gz",
)
LICENCES = ("LICENSE", "NOTICE")
NOT_SOURCE = (".*", "__pycache__", "*.egg-info", "build", "dist", "node_modules", "tests")


def test_platform_stays_pythons_own() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert platform.python_version()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, since building writes beside the source and finds what was built before."""
    copy = tmp_path_factory.mktemp("build") / "stellwerk"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    shutil.copy(ROOT / ".env.example", copy)
    return copy


@pytest.fixture(scope="module")
def built(source: Path) -> Path:
    """The folder with the wheel (made from the source distribution) and that distribution."""
    folder = source.parent / "dist"
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), "."]
    answer = subprocess.run(  # noqa: S603  our own build
        command, cwd=source, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-4000:]
    return folder


def test_the_wheel_holds_every_module_and_what_is_shipped(built: Path, source: Path) -> None:
    wheel = next(built.glob("*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {str(path.relative_to(source / root)) for root, path in _files(source)} <= names
    assert "celeryconfig.py" in names
    for file in SHIPPED:
        assert any(name.endswith(f"/share/stellwerk/{file}") for name in names), file
    for file in LICENCES:
        assert any(name.endswith(f".dist-info/licenses/{file}") for name in names), file


def test_the_wheel_holds_nothing_else(built: Path, source: Path) -> None:
    wheel = next(built.glob("*.whl"))
    modules = {str(path.relative_to(source / root)) for root, path in _files(source)}
    others = {
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if ".dist-info/" not in name and ".data/" not in name
    }

    assert others == modules | {"celeryconfig.py"}


def test_the_source_distribution_holds_everything_to_build_it_again(
    built: Path, source: Path
) -> None:
    archive = next(built.glob("*.tar.gz"))
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}

    assert {str(path.relative_to(source)) for _, path in _files(source)} <= names
    assert {"setup.py", "setup.cfg", "celeryconfig.py", *SHIPPED, *LICENCES} <= names


def test_the_licence_is_the_apache_licence_to_the_letter() -> None:
    digest = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def _files(source: Path) -> Iterator[tuple[str, Path]]:
    """Every file of the packages, with its source root."""
    for root in SOURCE_ROOTS:
        for path in (source / root).rglob("*"):
            if path.is_file():
                yield root, path
