"""`stellwerk webhooks`: who is told of jobs' ends."""

from typing import Any

import click

from stellwerk.cli.api import connect
from stellwerk.cli.completions import complete_operation
from stellwerk.cli.output import emit_json, emit_table, json_option, say
from stellwerk.webhooks.schemas import SELECTABLE

PAGE = 200
ROOT = "/webhook-endpoints"
COLUMNS = ("id", "url", "event_types", "operations", "active", "disabled_reason")
DELIVERY_COLUMNS = ("id", "event_type", "status", "tries", "last", "about_job_id", "created_at")

endpoint_argument = click.argument("endpoint_id", metavar="ENDPOINT")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def webhooks(ctx: click.Context, *, as_json: bool) -> None:
    """List your webhook endpoints, or change them with the commands below."""
    if ctx.invoked_subcommand is None:
        with connect() as api:
            found = api.get(ROOT, limit=PAGE)["items"]
        _emit(found, COLUMNS, as_json=as_json)


@webhooks.command()
@click.argument("url")
@click.option("--event", "event_types", multiple=True, type=click.Choice(SELECTABLE))
@click.option("--operation", "operations", multiple=True, shell_complete=complete_operation)
@click.option("--description", default="")
@json_option
def create(url: str, *, as_json: bool, **fields: Any) -> None:
    """Tell URL of your jobs' ends: of all, or of those with --event and --operation.

    Prints the endpoint's id and its secret, which is shown this once.
    """
    given = {
        name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()
    }
    with connect() as api:
        made = api.post(ROOT, {"url": url, **given})
    if as_json:
        emit_json(made)
    else:
        click.echo(f"{made['id']} {made['secret']}")


@webhooks.command("rotate-secret")
@endpoint_argument
def rotate_secret(endpoint_id: str) -> None:
    """Replace the secret and print the new one; the old one signs along for a while."""
    _replace(f"{ROOT}/{endpoint_id}/rotate-secret")


@webhooks.command("callback-secret")
def callback_secret() -> None:
    """Make or replace the secret of callback URLs, and print it."""
    _replace(f"{ROOT}/callback-secret")


@webhooks.command()
@endpoint_argument
def test(endpoint_id: str) -> None:
    """Send it a ping; prints the id of the job that delivers it."""
    with connect() as api:
        click.echo(api.post(f"{ROOT}/{endpoint_id}/test")["job_id"])


@webhooks.command()
@endpoint_argument
@json_option
def deliveries(endpoint_id: str, *, as_json: bool) -> None:
    """List what was sent to it, newest first."""
    with connect() as api:
        found = api.get(f"{ROOT}/{endpoint_id}/deliveries", limit=PAGE)["items"]
    _emit(found if as_json else [_row(one) for one in found], DELIVERY_COLUMNS, as_json=as_json)


@webhooks.command()
@endpoint_argument
@click.argument("delivery_id", metavar="DELIVERY")
def redeliver(endpoint_id: str, delivery_id: str) -> None:
    """Send a message again; prints the id of the job that delivers it."""
    with connect() as api:
        click.echo(api.post(f"{ROOT}/{endpoint_id}/deliveries/{delivery_id}/redeliver")["job_id"])


@webhooks.command()
@endpoint_argument
def delete(endpoint_id: str) -> None:
    """Delete it, with its log."""
    with connect() as api:
        api.delete(f"{ROOT}/{endpoint_id}")


def _replace(path: str) -> None:
    with connect() as api:
        answer = api.post(path)
    click.echo(answer["secret"])
    if answer["previous_valid_until"]:
        say(f"The old one signs along until {answer['previous_valid_until']}.")


def _row(delivery: dict[str, Any]) -> dict[str, Any]:
    attempts = delivery["attempts"]
    last = attempts[-1] if attempts else {}
    shown = last.get("status_code") or last.get("error")
    return {**delivery, "tries": len(attempts), "last": shown}


def _emit(found: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        emit_json(found)
    else:
        emit_table(found, columns)
