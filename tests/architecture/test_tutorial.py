"""`docs/add_an_operation.md`, followed by the letter in a copy of the source."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import fresh_database
from stellwerk.db.migrate import upgrade
from stellwerk.docs import GENERATED
from stellwerk.settings import environment, load_settings

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "add_an_operation.md"
COPIED = (
    "platform",
    "api",
    "workers",
    "migrations",
    "deploy",
    "celeryconfig.py",
    "Procfile",
    "pyproject.toml",
    "tests/conftest.py",
    "tests/support",
    "tests/architecture/test_operations.py",
)
UNWANTED = shutil.ignore_patterns("__pycache__", "*.egg-info")

# The servers are those of this test process; what runs on them is the copy's. One worker will do.
OVERRIDES = """
from engine import Engine

@pytest.fixture(scope="session")
def database_url():
    return {database_url!r}

@pytest.fixture(scope="session")
def redis_url():
    return {redis_url!r}

@pytest.fixture(scope="session")
def engine_processes(settings, tmp_path_factory):
    engine = Engine(settings, tmp_path_factory.mktemp("engine"))
    try:
        engine.start("short")
        yield engine
    finally:
        engine.stop()
"""


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source to which the tutorial's files were added."""
    copy = tmp_path_factory.mktemp("tutorial")
    for name in COPIED:
        _copy(ROOT / name, copy / name)
    for name, content in _files():
        assert not (copy / name).exists(), f"{name} is part of the platform"
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(content)
    return copy


@pytest.fixture
def servers(postgres_server: str, redis_url: str) -> Iterator[tuple[str, str]]:
    """URLs of a database and a Redis that no worker of the other tests looks at."""
    with fresh_database(postgres_server) as url:
        upgrade(load_settings(database_url=url).database())
        yield url, f"{redis_url.rpartition('/')[0]}/1"


def test_following_the_tutorial_gives_an_operation_that_works(
    followed: Path, servers: tuple[str, str]
) -> None:
    with (followed / "tests" / "conftest.py").open("a") as fixtures:
        fixtures.write(OVERRIDES.format(database_url=servers[0], redis_url=servers[1]))

    output = _python(followed, "-m", "pytest", "-v", "-p", "no:cacheprovider", "tests")

    assert "test_a_greeting_is_composed_and_kept_as_a_file PASSED" in output
    assert "test_a_greeting_is_accepted_as_a_job PASSED" in output
    assert "test_has_a_handler[greetings.greet] PASSED" in output


def test_the_tutorials_operation_stands_in_the_catalogue(followed: Path) -> None:
    code = "from stellwerk.docs import operations_catalogue; print(operations_catalogue())"
    assert "## greetings.greet" not in GENERATED["docs/operations_catalogue.md"]()
    assert "## greetings.greet" in _python(followed, "-c", code)


def test_the_tutorials_code_keeps_the_rules_of_style(followed: Path) -> None:
    files = [name for name, _ in _files()]
    _python(followed, "-m", "ruff", "check", "--no-cache", *files)
    _python(followed, "-m", "ruff", "format", "--no-cache", "--check", *files)


def _files() -> list[tuple[str, str]]:
    """Name and content of every code block that names a file."""
    blocks = r"^```python (\S+)\n(.*?)^```$"
    return re.findall(blocks, TUTORIAL.read_text(), flags=re.MULTILINE | re.DOTALL)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=UNWANTED)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _python(copy: Path, *arguments: str) -> str:
    """Run Python on the copy, its workers too; gives the output and expects exit code 0."""
    roots = ("platform", "api", "workers", ".")
    path = ":".join(str(copy / root) for root in roots)
    answer = subprocess.run(  # noqa: S603  our own source
        [sys.executable, *arguments],
        cwd=copy,
        env={**environment(), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout
