"""`stellwerk modules set-env`: an instance's own variables."""

from typing import Any

import click

from stellwerk.cli.api import connect
from stellwerk.cli.modules_naming import instance_path, module_argument, typed_in, variables
from stellwerk.cli.output import emit_json, json_option, say


@click.command("set-env")
@module_argument
@click.argument("instance")
@click.argument("assignments", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--secret", is_flag=True, help="Store them sealed; they are never shown again.")
@click.option("--unset", multiple=True, metavar="NAME", help="Remove a variable or secret.")
@json_option
def set_env(
    module: str, instance: str, assignments: tuple[str, ...], *, as_json: bool, **wanted: Any
) -> None:
    """Set variables of an instance; it takes them when it is restarted.

    NAME=- reads the value from standard input, which keeps it out of the shell's history. Without
    any NAME=VALUE the present ones are shown, secrets by their names alone.
    """
    given = typed_in(variables(assignments, "set-env"))
    with connect() as api:
        path = f"{instance_path(api, module, instance)}/environment"
        found = api.get(path)
        changes = _changes(given, found, **wanted)
        if changes:
            found = api.patch(path, changes)
    if as_json:
        emit_json(found)
    else:
        _report(found)


def _changes(
    given: dict[str, str], present: dict[str, Any], *, secret: bool, unset: tuple[str, ...]
) -> dict[str, dict[str, str | None]]:
    """What is removed, is removed from where it is."""
    secrets: dict[str, str | None] = {name: None for name in unset if name in present["secrets"]}
    plain: dict[str, str | None] = {name: None for name in unset if name not in secrets}
    (secrets if secret else plain).update(given)
    named = {"environment": plain, "secrets": secrets}
    return {kind: values for kind, values in named.items() if values}


def _report(found: dict[str, Any]) -> None:
    for name, value in sorted(found["environment"].items()):
        click.echo(f"{name}={value}")
    for name in sorted(found["secrets"]):
        click.echo(f"{name}  (secret)")
    if found.get("needs_restart"):
        names = f"{found['module_name']} {found['instance_id']}"
        say(f"It takes them when it is restarted: `stellwerk modules restart {names}`")
