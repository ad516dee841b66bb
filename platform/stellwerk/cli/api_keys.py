"""`stellwerk api-keys`: keys for programs."""

from collections.abc import Mapping
from typing import Any

import click

from stellwerk.cli.api import connect
from stellwerk.cli.output import emit_json, emit_table, json_option, say

ROOT = "/api-keys"
COLUMNS = (
    "id",
    "name",
    "prefix",
    "scopes",
    "expires_at",
    "last_used_at",
    "last_used_from",
    "replaced_by",
)

key_argument = click.argument("key_id", metavar="KEY")
expiry_option = click.option(
    "--expires-at", help="A point in time with its offset, such as 2027-01-31T12:00:00Z."
)


@click.group("api-keys")
def api_keys() -> None:
    """List, make, rotate and revoke your API keys; needs a session, no key may do it."""


@api_keys.command("list")
@json_option
def browse(*, as_json: bool) -> None:
    """List your keys, newest first."""
    with connect() as api:
        found = api.get(ROOT)["items"]
    if as_json:
        emit_json(found)
    else:
        emit_table(found, COLUMNS)


@api_keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    help="`read`, `write`, or operations such as videos.*; default: all that you may.",
)
@expiry_option
@json_option
def create(name: str, scopes: tuple[str, ...], expires_at: str | None, *, as_json: bool) -> None:
    """Make a key named NAME and print it: it is shown this once."""
    with connect() as api:
        made = api.post(ROOT, {"name": name, "scopes": list(scopes), "expires_at": expires_at})
    _emit(made, as_json=as_json)


@api_keys.command()
@key_argument
@click.option("--overlap-h", type=float, help="Hours for which the old key still works [24].")
@expiry_option
@json_option
def rotate(key_id: str, overlap_h: float | None, expires_at: str | None, *, as_json: bool) -> None:
    """Replace a key and print the new one; the old one works along for a while."""
    wanted = {"overlap_h": overlap_h, "expires_at": expires_at}
    with connect() as api:
        made = api.post(
            f"{ROOT}/{key_id}/rotate",
            {name: value for name, value in wanted.items() if value is not None},
        )
    _emit(made, as_json=as_json)
    say(f"The old one works until {made['previous']['expires_at']}.")


@api_keys.command()
@key_argument
def revoke(key_id: str) -> None:
    """Revoke a key: it is worth nothing from now on."""
    with connect() as api:
        api.delete(f"{ROOT}/{key_id}")
    say("Revoked.")


def _emit(made: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(made)
    else:
        click.echo(f"{made['id']} {made['key']}")
