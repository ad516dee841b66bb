"""`stellwerk jobs signal` and `resolve`: what people tell single jobs."""

import json
from typing import Any

import click

from stellwerk.cli.api import connect
from stellwerk.cli.completions import complete_job
from stellwerk.cli.output import emit_json, json_option, say

job_argument = click.argument("job_id", metavar="JOB", shell_complete=complete_job)


@click.command()
@job_argument
@click.argument("name")
@click.option("--data", default="null", show_default=True, help="JSON that goes with it.")
@click.option("--dedupe-key", help="A signal with the same key is taken once.")
@json_option
def signal(job_id: str, name: str, *, data: str, dedupe_key: str | None, as_json: bool) -> None:
    """Send a job the signal NAME; it goes on if it waits for it, or will take it later."""
    body = {"name": name, "data": _json(data, "--data"), "dedupe_key": dedupe_key}
    act(job_id, "signal", body, as_json=as_json)


@click.command()
@job_argument
@click.option("--effect", required=True, help="The effect that `error.details` of the job names.")
@click.option("--key", help="Needed where several effects of that name are open.")
@click.option("--happened/--not-happened", required=True)
@click.option("--output", help="JSON that its call would have returned, if it happened.")
@click.option("--note", default="", help="How you know; kept in the job's log.")
@json_option
def resolve(
    job_id: str, *, happened: bool, output: str | None, as_json: bool, **named: str | None
) -> None:
    """Say whether an uncertain effect of a job happened; the job goes on from there."""
    found = None if output is None else _json(output, "--output")
    act(job_id, "resolve", {**named, "happened": happened, "output": found}, as_json=as_json)


def act(job_id: str, action: str, body: dict[str, Any] | None = None, *, as_json: bool) -> None:
    """Post to one of a job's actions and show what became of the job."""
    with connect() as api:
        answer = api.post(f"/jobs/{job_id}/{action}", body)
    if as_json:
        emit_json(answer)
    else:
        say(f"{job_id}: {answer['status']}")


def _json(text: str, option: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise click.UsageError(f"{option} is not valid JSON: {exc}.") from exc
