"""`stellwerk config`, for operators."""

import json
from typing import Any

import click

from stellwerk.cli.api import connect
from stellwerk.cli.output import emit_json, emit_table, json_option

ROOT = "/admin/config"
COLUMNS = ("name", "value", "default", "unit", "version", "changed_at", "changed_by")
HISTORY_COLUMNS = ("version", "value", "changed_at", "changed_by")


@click.group("config", invoke_without_command=True)
@json_option
@click.pass_context
def config(ctx: click.Context, *, as_json: bool) -> None:
    """Show what is configured, or change it while the platform runs."""
    if ctx.invoked_subcommand is None:
        _list(as_json=as_json)


@config.command("list")
@json_option
def list_entries(*, as_json: bool) -> None:
    """List everything that can be configured."""
    _list(as_json=as_json)


@config.command()
@click.argument("name")
def get(name: str) -> None:
    """Show all about the entry NAME, as JSON."""
    with connect() as api:
        emit_json(api.get(f"{ROOT}/{name}"))


@config.command("set")
@click.argument("name")
@click.argument("value")
@click.option("--version", type=int, help="Refuse where NAME was changed after this version.")
@json_option
def set_entry(name: str, value: str, version: int | None, *, as_json: bool) -> None:
    """Set the entry NAME to VALUE: JSON, or a text that needs no quotes."""
    with connect() as api:
        changed = api.put(f"{ROOT}/{name}", {"value": _read(value), "version": version})
    _emit([changed], COLUMNS, as_json=as_json)


@config.command()
@click.argument("name")
@json_option
def reset(name: str, *, as_json: bool) -> None:
    """Let the entry NAME go back to its default."""
    with connect() as api:
        _emit([api.post(f"{ROOT}/{name}/reset")], COLUMNS, as_json=as_json)


@config.command()
@click.argument("name")
@json_option
def history(name: str, *, as_json: bool) -> None:
    """Show who changed the entry NAME and when, newest first."""
    with connect() as api:
        found = api.get(f"{ROOT}/{name}")["history"]
    _emit(found, HISTORY_COLUMNS, as_json=as_json)


def _list(*, as_json: bool) -> None:
    with connect() as api:
        _emit(api.get(ROOT)["items"], COLUMNS, as_json=as_json)


def _emit(found: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        emit_json(found)
    else:
        emit_table(found, columns)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
