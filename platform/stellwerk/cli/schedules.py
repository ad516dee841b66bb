"""`stellwerk schedules`: jobs that submit themselves."""

from typing import Any

import click

from stellwerk.cli.api import connect
from stellwerk.cli.completions import complete_operation
from stellwerk.cli.output import emit_json, emit_table, json_option
from stellwerk.cli.submission import read_payload
from stellwerk.schedules.model import Misfire, Overlap

PAGE = 200
COLUMNS = ("id", "name", "operation", "cron", "interval_s", "time_zone", "paused", "next_fire_at")
FIRE_COLUMNS = ("fire_at", "outcome", "job_id", "job_status", "missed", "reason")

schedule_argument = click.argument("schedule_id", metavar="SCHEDULE")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def schedules(ctx: click.Context, *, as_json: bool) -> None:
    """List your schedules, or change them with the commands below."""
    if ctx.invoked_subcommand is None:
        with connect() as api:
            found = api.get("/schedules", limit=PAGE)["items"]
        _emit(found, COLUMNS, as_json=as_json)


@schedules.command()
@click.argument("name")
@click.argument("operation", shell_complete=complete_operation)
@click.option("--cron", help="Five fields, such as '30 7 * * 1-5'.")
@click.option("--every", "interval_s", type=click.IntRange(1), metavar="SECONDS")
@click.option("--time-zone", default="UTC", show_default=True, help="In which --cron is read.")
@click.option("--overlap", type=click.Choice([one.value for one in Overlap]), default="skip")
@click.option("--misfire", type=click.Choice([one.value for one in Misfire]), default="skip")
@click.option("--queue", help="Of its jobs; by default the operation's.")
@click.option("--callback-url", metavar="URL", help="Told of the end of each job.")
@click.option("--json", "source", metavar="JSON|@FILE|-", help="The payload; - is stdin.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One value of it.")
def create(source: str | None, assignments: tuple[str, ...], **fields: Any) -> None:
    """Submit OPERATION again and again, by --cron or --every; prints the schedule's id."""
    given = {name: value for name, value in fields.items() if value is not None}
    body = {**given, "payload": read_payload(source, assignments)}
    with connect() as api:
        click.echo(api.post("/schedules", body)["id"])


@schedules.command()
@schedule_argument
@json_option
def fires(schedule_id: str, *, as_json: bool) -> None:
    """List the times it was due, newest first, and what came of each."""
    with connect() as api:
        found = api.get(f"/schedules/{schedule_id}/fires", limit=PAGE)["items"]
    _emit(found, FIRE_COLUMNS, as_json=as_json)


@schedules.command()
@schedule_argument
def pause(schedule_id: str) -> None:
    """Pause it; its running job goes on."""
    with connect() as api:
        api.post(f"/schedules/{schedule_id}/pause")


@schedules.command()
@schedule_argument
def resume(schedule_id: str) -> None:
    """Let it go on; prints when it is due next."""
    with connect() as api:
        click.echo(api.post(f"/schedules/{schedule_id}/resume")["next_fire_at"])


@schedules.command()
@schedule_argument
def run(schedule_id: str) -> None:
    """Submit its job now; prints the job's id."""
    with connect() as api:
        click.echo(api.post(f"/schedules/{schedule_id}/run")["job_id"])


@schedules.command()
@schedule_argument
def delete(schedule_id: str) -> None:
    """Delete it; the jobs it submitted stay."""
    with connect() as api:
        api.delete(f"/schedules/{schedule_id}")


def _emit(found: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        emit_json(found)
    else:
        emit_table(found, columns)
