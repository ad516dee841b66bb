"""`stellwerk modules pack`: makes or extends a repository; needs no platform."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stellwerk.cli.output import emit_json, emit_table, json_option, say
from stellwerk.errors import InvalidInput

if TYPE_CHECKING:
    from stellwerk.providers.repositories.signatures import SigningKey

KEY_MODE = 0o600
COLUMNS = ("name", "version", "file", "size", "sha256")
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("folders", metavar="[DIR]...", nargs=-1, type=FOLDER)
@click.option(
    "--to",
    "repository",
    type=click.Path(file_okay=False, path_type=Path),
    help="The repository's folder; made where there is none.",
)
@click.option(
    "--key",
    "key_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Sign archives and index with this key.",
)
@click.option("--replace", is_flag=True, help="Also versions that are there with other content.")
@click.option(
    "--new-key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Make a key in this file (and sign with it), and print its public half.",
)
@json_option
def pack(
    folders: tuple[Path, ...],
    repository: Path | None,
    *,
    key_file: Path | None,
    replace: bool,
    new_key: Path | None,
    as_json: bool,
) -> None:
    """Pack the module in each DIR into a repository: archive, checksum, signature and index.

    A DIR holds a `module.json`. The public half of the key is what an installation that adds the
    repository has to be given.
    """
    from stellwerk.providers.repositories.index import dumped  # noqa: PLC0415  heavy
    from stellwerk.providers.repositories.publishing import publish  # noqa: PLC0415  the same

    _refuse_half_of_it(folders, repository, key_file, new_key)
    key = _made(new_key) if new_key else _read(key_file)
    if new_key and key:
        say(f"The key is in {new_key}; keep it to yourself. Its public half:")
        click.echo(key.public_key)
    if repository is None:
        return
    entries = [
        dumped(entry) for entry in publish(folders, repository, key=key, is_replacing=replace)
    ]
    if as_json:
        emit_json(entries)
    else:
        emit_table(entries, COLUMNS)


def _refuse_half_of_it(
    folders: tuple[Path, ...], repository: Path | None, key_file: Path | None, new_key: Path | None
) -> None:
    if bool(folders) != bool(repository) or not (folders or new_key):
        raise click.UsageError("Name the folders of modules, and with --to the repository.")
    if key_file and new_key:
        raise click.UsageError("--key and --new-key are two different keys.")


def _made(path: Path) -> "SigningKey":
    from stellwerk.providers.repositories.signatures import SigningKey  # noqa: PLC0415  heavy

    key = SigningKey.new()
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KEY_MODE)
    except OSError as exc:
        raise InvalidInput(f"{path} cannot be made: {exc.strerror}.") from exc
    with os.fdopen(number, "wb") as file:
        file.write(key.pem)
    return key


def _read(path: Path | None) -> "SigningKey | None":
    from stellwerk.providers.repositories.signatures import SigningKey  # noqa: PLC0415  heavy

    if path is None:
        return None
    try:
        return SigningKey.from_pem(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise InvalidInput(f"{path} holds no key of ours: {exc}.") from exc
