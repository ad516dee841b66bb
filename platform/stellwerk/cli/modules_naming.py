"""How commands name modules, their instances, and repositories."""

import re
import sys

import click

from stellwerk.cli.api import Api
from stellwerk.cli.pages import all_of
from stellwerk.errors import ApiRefused
from stellwerk.modules.names import INSTANCE_ID

FROM_STDIN = "-"

module_argument = click.argument("module", metavar="MODULE")
instance_argument = click.argument("instance", metavar="[INSTANCE]", required=False)


def instance_path(api: Api, module: str, given: str | None) -> str:
    """Where the API has an instance; raises ApiRefused where none, or several, are meant."""
    return f"/modules/instance/{module}/{instance_id(api, module, given)}"


def instance_id(api: Api, module: str, given: str | None) -> str:
    """The id that is given, or that begins or ends so; without any that of the primary instance.

    They begin with the time at which they were made: their ends differ sooner.
    """
    if given is None:
        return str(api.get(f"/modules/primary/{module}")["instance_id"])
    if re.fullmatch(INSTANCE_ID, given):
        return given
    part = given.lower()
    ids = [one["instance_id"] for one in all_of(api, "/modules/instances", module_name=module)]
    matching = [one for one in ids if one.startswith(part) or one.endswith(part)]
    if len(matching) != 1:
        how_many = "several instances" if matching else "no instance"
        raise ApiRefused(f"{module} has {how_many} whose id begins or ends with {given}.")
    return str(matching[0])


def repository_id(api: Api, given: str | None) -> int | None:
    """The id of a repository that is named by it or by its name; None: none is named."""
    if given is None:
        return None
    if given.isdecimal():
        return int(given)
    named = [one["id"] for one in api.get("/repositories")["items"] if one["name"] == given]
    if not named:
        raise ApiRefused(f"There is no repository {given}.")
    return int(named[0])


def assigned(text: str, option: str) -> tuple[str, str]:
    """`NAME=VALUE` in its two parts; raises click.UsageError."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.UsageError(f"{option} takes NAME=VALUE, not {text!r}.")
    return name, value


def typed_in(given: dict[str, str]) -> dict[str, str]:
    """With what standard input says instead of `-`: all of it but a line break at its end."""
    asking = [name for name, value in given.items() if value == FROM_STDIN]
    if len(asking) > 1:
        raise click.UsageError("One variable at a time is read from standard input.")
    return given | {name: sys.stdin.read().removesuffix("\n") for name in asking}


def variables(given: tuple[str, ...], option: str) -> dict[str, str]:
    """All of them; of a name that is given twice the last value counts."""
    return dict(assigned(text, option) for text in given)
