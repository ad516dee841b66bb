"""`stellwerk modules install`, `update` and the like: what changes what runs."""

from typing import Any

import click

from stellwerk.cli.api import connect
from stellwerk.cli.modules_following import no_follow_option, see_through
from stellwerk.cli.modules_naming import (
    instance_argument,
    instance_id,
    instance_path,
    module_argument,
    repository_id,
    typed_in,
    variables,
)
from stellwerk.cli.output import emit_json, json_option, say

version_option = click.option("--version", help="Without it the newest.")
repository_option = click.option(
    "--repository", metavar="REPOSITORY", help="Which to take it from: its id or name."
)
set_option = click.option(
    "--set", "environment", multiple=True, metavar="NAME=VALUE", help="A variable of its own."
)
secret_option = click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME=VALUE",
    help="One that is sealed, and never shown; NAME=- reads its value from standard input.",
)
drop_data_option = click.option(
    "--drop-data", is_flag=True, help="Delete its data too; they are kept otherwise."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@module_argument
@version_option
@repository_option
@set_option
@secret_option
@no_follow_option
@json_option
def install(module: str, *, repository: str | None, **wanted: Any) -> None:
    """Install MODULE with what it needs, and follow that to its end.

    Exits with 0 where it runs, 1 where it failed and was undone, 6 where it was cancelled.
    """
    body = {
        "module_name": module,
        "version": wanted.pop("version"),
        **_given(wanted.pop("environment"), wanted.pop("secrets")),
    }
    with connect() as api:
        body["repository_id"] = repository_id(api, repository)
        see_through(api, lambda: api.post("/repository/install", body), **wanted)


@click.command()
@module_argument
@version_option
@repository_option
@no_follow_option
@json_option
def update(module: str, *, version: str | None, repository: str | None, **shown: bool) -> None:
    """Update all instances of MODULE; the old ones serve until the new ones are healthy.

    Where these are not, the old ones stay, and the command exits with 1.
    """
    with connect() as api:
        body = {
            "module_name": module,
            "version": version,
            "repository_id": repository_id(api, repository),
        }
        see_through(api, lambda: api.post("/modules/update", body), **shown)


@click.command()
@module_argument
@drop_data_option
@yes_option
@no_follow_option
@json_option
def uninstall(module: str, *, drop_data: bool, yes: bool, **shown: bool) -> None:
    """Remove MODULE with all of its instances."""
    data = _confirmed(f"Remove {module} with all of its instances", drop_data=drop_data, yes=yes)
    with connect() as api:
        see_through(api, lambda: api.delete(f"/repository/uninstall/{module}", data=data), **shown)


@click.command("add-instance")
@module_argument
@set_option
@secret_option
@no_follow_option
@json_option
def add_instance(
    module: str, *, environment: tuple[str, ...], secrets: tuple[str, ...], **shown: bool
) -> None:
    """Run one more instance of MODULE, with variables and data of its own."""
    body = {"module_name": module, **_given(environment, secrets)}
    with connect() as api:
        see_through(api, lambda: api.post("/modules/install-instance", body), **shown)


@click.command("remove-instance")
@module_argument
@click.argument("instance")
@drop_data_option
@yes_option
@no_follow_option
@json_option
def remove_instance(
    module: str, instance: str, *, drop_data: bool, yes: bool, **shown: bool
) -> None:
    """Remove an instance that is not the primary one."""
    data = _confirmed(f"Remove {module} {instance}", drop_data=drop_data, yes=yes)
    with connect() as api:
        see_through(
            api, lambda: api.delete(instance_path(api, module, instance), data=data), **shown
        )


@click.command()
@module_argument
@instance_argument
@json_option
def primary(module: str, instance: str | None, *, as_json: bool) -> None:
    """Show which instance MODULE is reached by, or make it INSTANCE."""
    with connect() as api:
        path = f"/modules/primary/{module}"
        if instance is None:
            found = api.get(path)
        else:
            found = api.post(f"{path}/{instance_id(api, module, instance)}")
    if as_json:
        emit_json(found)
    else:
        click.echo(found["instance_id"])


@click.command()
@module_argument
@instance_argument
@no_follow_option
@json_option
def start(module: str, instance: str | None, **shown: bool) -> None:
    """Start an instance, with its present variables."""
    _control("start", module, instance, **shown)


@click.command()
@module_argument
@instance_argument
@no_follow_option
@json_option
def stop(module: str, instance: str | None, **shown: bool) -> None:
    """Stop an instance; it stays stopped until it is started."""
    _control("stop", module, instance, **shown)


@click.command()
@module_argument
@instance_argument
@no_follow_option
@json_option
def restart(module: str, instance: str | None, **shown: bool) -> None:
    """Stop and start an instance, with its present variables."""
    _control("restart", module, instance, **shown)


def _given(environment: tuple[str, ...], secrets: tuple[str, ...]) -> dict[str, dict[str, str]]:
    return {
        "environment": variables(environment, "--set"),
        "secrets": typed_in(variables(secrets, "--secret")),
    }


def _control(verb: str, module: str, instance: str | None, **shown: bool) -> None:
    with connect() as api:
        path = instance_path(api, module, instance)
        see_through(api, lambda: api.post(f"{path}/{verb}"), **shown)


def _confirmed(question: str, *, drop_data: bool, yes: bool) -> str:
    """What becomes of the data, once somebody agreed; raises click.Abort."""
    if not yes:
        fate = "and delete the data for good" if drop_data else "and keep the data"
        if not click.confirm(f"{question}, {fate}?", err=True):
            say("Nothing was removed.")
            raise click.Abort
    return "drop" if drop_data else "keep"
