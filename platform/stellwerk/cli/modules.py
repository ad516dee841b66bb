"""`stellwerk modules`: what can be installed, what is, and what runs of it."""

from typing import Any

import click

from stellwerk.cli.api import connect
from stellwerk.cli.modules_changes import (
    add_instance,
    install,
    primary,
    remove_instance,
    restart,
    start,
    stop,
    uninstall,
    update,
)
from stellwerk.cli.modules_environment import set_env
from stellwerk.cli.modules_following import tell_operation
from stellwerk.cli.modules_logs import logs
from stellwerk.cli.modules_naming import (
    instance_argument,
    instance_path,
    module_argument,
    repository_id,
)
from stellwerk.cli.modules_pack import pack
from stellwerk.cli.modules_repositories import repositories
from stellwerk.cli.output import emit_json, emit_table, json_option, say
from stellwerk.cli.pages import all_of

Document = dict[str, Any]

OFFERED = ("name", "version", "category", "installed", "repository", "description")
INSTALLED = ("name", "version", "update", "status", "instances", "frontend_url")
INSTANCES = ("module_name", "instance_id", "version", "status", "health", "primary", "message")
ORPHANS = ("kind", "name", "module_name")
SHOWN = (
    "module_name",
    "instance_id",
    "version",
    "status",
    "health",
    "is_primary",
    "frontend_url",
    "service",
    "path",
    "environment",
    "restarts",
    "started_at",
    "message",
)


@click.group()
def modules() -> None:
    """Install modules as running services, and look after their instances.

    INSTANCE is an id, or how it begins or ends; without it the primary instance is meant.
    """


@modules.command()
@click.option("--category", help="Only modules of this category.")
@click.option("--query", "q", metavar="TEXT", help="Only those whose name or description has it.")
@click.option("--repository", metavar="REPOSITORY", help="Only of this one: its id or name.")
@click.option("--installed/--not-installed", "installed", default=None)
@json_option
def available(*, repository: str | None, as_json: bool, **wanted: Any) -> None:
    """List what the repositories have."""
    with connect() as api:
        chosen = repository_id(api, repository)
        found = all_of(api, "/repository/modules", repository_id=chosen, **wanted)
    _emit(found if as_json else [_offer(one) for one in found], OFFERED, as_json=as_json)
    stale = sorted({one["repository"] for one in found if one["stale"]})
    if stale and not as_json:
        say(f"As last read, since it does not answer now: {', '.join(stale)}.")


@modules.command("list")
@json_option
def list_installed(*, as_json: bool) -> None:
    """List the modules that are installed."""
    with connect() as api:
        found = all_of(api, "/modules")
    _emit(found if as_json else [_module(one) for one in found], INSTALLED, as_json=as_json)


@modules.command()
@click.argument("module", required=False)
@json_option
def instances(module: str | None, *, as_json: bool) -> None:
    """List the instances of MODULE, or of all modules."""
    with connect() as api:
        found = all_of(api, "/modules/instances", module_name=module)
    _emit(found if as_json else [_row(one) for one in found], INSTANCES, as_json=as_json)


@modules.command()
@module_argument
@instance_argument
@json_option
def show(module: str, instance: str | None, *, as_json: bool) -> None:
    """Show all about an instance; of one in error also the end of its log then."""
    with connect() as api:
        found = api.get(instance_path(api, module, instance))
    if as_json:
        emit_json(found)
    else:
        _report(found)


@modules.command()
@json_option
def orphans(*, as_json: bool) -> None:
    """List what belongs to no instance, such as folders; nothing removes it by itself."""
    with connect() as api:
        found = api.get("/modules/orphans")["items"]
    _emit(found, ORPHANS, as_json=as_json)


@modules.command()
@click.argument("operation_id", metavar="OPERATION")
@json_option
def status(operation_id: str, *, as_json: bool) -> None:
    """Show how far an operation is, or how it ended."""
    with connect() as api:
        operation = api.get(f"/modules/status/{operation_id}")
    if as_json:
        emit_json(operation)
    else:
        tell_operation(operation)


for command in (
    install,
    update,
    uninstall,
    add_instance,
    remove_instance,
    primary,
    start,
    stop,
    restart,
    logs,
    set_env,
    repositories,
    pack,
):
    modules.add_command(command)


def _offer(module: Document) -> Document:
    installed = module["installed_version"] or ""
    return {
        **module,
        "installed": f"{installed} (update)" if module["update_available"] else installed,
    }


def _module(module: Document) -> Document:
    return {**module, "update": module["newest_version"] if module["update_available"] else ""}


def _row(instance: Document) -> Document:
    return {**instance, "primary": "*" if instance["is_primary"] else ""}


def _report(instance: Document) -> None:
    for name in SHOWN:
        click.echo(f"{name:<14} {_shown(instance[name])}".rstrip())
    for line in instance["last_log"].splitlines():
        click.echo(f"  {line}")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)


def _emit(found: list[Document], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        emit_json(found)
    else:
        emit_table(found, columns)
