"""`stellwerk modules pack` makes repositories that installations can read."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from module_repositories import ServerModule
from stellwerk.cli.modules_pack import pack
from stellwerk.errors import Conflict, InvalidInput
from stellwerk.providers.repositories.choice import repositories
from stellwerk.providers.repositories.protocol import Source, SourceKind
from stellwerk.providers.repositories.signatures import is_public_key
from stellwerk.settings import load_settings


def run(*arguments: object) -> Result:
    return CliRunner().invoke(pack, list(map(str, arguments)))


@pytest.fixture
def module(tmp_path: Path) -> Path:
    return ServerModule("one").write(tmp_path / "one")


def test_a_new_key_signs_a_repository_that_its_public_half_reads(
    module: Path, tmp_path: Path
) -> None:
    key, repository = tmp_path / "key.pem", tmp_path / "repository"
    made = run("--new-key", key)
    public_key = made.stdout.strip()
    assert is_public_key(public_key)
    assert (key.stat().st_mode & 0o777, made.exit_code) == (0o600, 0)

    packed = run(module, "--to", repository, "--key", key, "--json")
    (told,) = json.loads(packed.stdout)
    assert (told["name"], told["file"]) == ("one", "one-1.0.0.tar.gz")
    source = Source(SourceKind.FILE, str(repository), public_key)
    index = repositories(load_settings()).read_index(source)
    assert index is not None
    assert [entry.to_json() for entry in index.entries] == [told]


def test_other_content_under_the_same_version_is_refused_until_it_is_to_replace(
    module: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    assert "one-1.0.0.tar.gz" in run(module, "--to", repository).stdout
    (module / "more").touch()
    assert isinstance(run(module, "--to", repository).exception, Conflict)
    assert run(module, "--to", repository, "--replace").exit_code == 0


def test_a_key_is_never_overwritten_and_has_to_be_one(module: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("precious")
    assert isinstance(run("--new-key", key).exception, InvalidInput)
    assert key.read_text() == "precious"
    assert isinstance(run(module, "--to", tmp_path / "r", "--key", key).exception, InvalidInput)


@pytest.mark.parametrize("arguments", [[], ["."], ["--to", "repository"]])
def test_a_command_that_says_half_is_wrong(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
