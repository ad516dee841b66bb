"""`stellwerk modules repositories`: where modules come from."""

from pathlib import Path
from typing import Any

import click

from stellwerk.cli.api import connect
from stellwerk.cli.modules_following import no_follow_option, see_through
from stellwerk.cli.modules_naming import repository_id
from stellwerk.cli.output import emit_json, emit_table, json_option, say

ROOT = "/repositories"
COLUMNS = ("id", "name", "kind", "location", "modules", "reachable", "synced_at", "error")

repository_argument = click.argument("repository", metavar="REPOSITORY")


@click.group()
def repositories() -> None:
    """List, add and remove repositories; REPOSITORY is an id or a name."""


@repositories.command("list")
@json_option
def browse(*, as_json: bool) -> None:
    """List them, with what was last read of each."""
    with connect() as api:
        found = api.get("/repository/list")["items"]
    if as_json:
        emit_json(found)
    else:
        emit_table(found, COLUMNS)


@repositories.command()
@click.argument("name")
@click.argument("location")
@click.option("--public-key", metavar="KEY", help="Ed25519 in base64: all of it has to be signed.")
@json_option
def add(name: str, location: str, *, public_key: str | None, as_json: bool) -> None:
    """Add the repository at LOCATION: an https:// address, or a folder the platform can read."""
    kind = "https" if location.startswith("https://") else "file"
    place = location if kind == "https" else str(Path(location).absolute())
    body = {"name": name, "kind": kind, "location": place, "public_key": public_key}
    with connect() as api:
        added = api.post(ROOT, body)
    if as_json:
        emit_json(added)
    else:
        click.echo(added["id"])


@repositories.command()
@repository_argument
def remove(repository: str) -> None:
    """Forget a repository that no installed module is from."""
    with connect() as api:
        api.delete(f"{ROOT}/{repository_id(api, repository)}")
    say(f"{repository} is removed.")


@repositories.command()
@repository_argument
@no_follow_option
@json_option
def sync(repository: str, **shown: Any) -> None:
    """Read a repository's index now."""
    with connect() as api:
        see_through(api, lambda: api.post(f"{ROOT}/{repository_id(api, repository)}/sync"), **shown)
