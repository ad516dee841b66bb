"""`stellwerk queues`, for operators."""

from typing import Any

import click

from stellwerk.cli.api import connect
from stellwerk.cli.output import emit_json, emit_table, json_option

COLUMNS = (
    "name",
    "paused",
    "waiting",
    "outstanding",
    "running",
    "scheduled",
    "oldest_s",
    "slots",
    "ended_last_minute",
    "workers",
)


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def queues(ctx: click.Context, *, as_json: bool) -> None:
    """Show how the queues are, or pause one and let it go on."""
    if ctx.invoked_subcommand is None:
        with connect() as api:
            _emit(api.get("/queues")["items"], as_json=as_json)


@queues.command()
@click.argument("name")
@json_option
def pause(name: str, *, as_json: bool) -> None:
    """Let no further job of the queue start; what runs goes on."""
    with connect() as api:
        _emit([api.post(f"/queues/{name}/pause")], as_json=as_json)


@queues.command()
@click.argument("name")
@json_option
def resume(name: str, *, as_json: bool) -> None:
    """Let a paused queue go on."""
    with connect() as api:
        _emit([api.post(f"/queues/{name}/resume")], as_json=as_json)


def _emit(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        emit_json(found)
    else:
        emit_table(found, COLUMNS)
