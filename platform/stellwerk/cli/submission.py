"""`stellwerk submit`: a payload from JSON and from single values."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from stellwerk.cli.api import connect
from stellwerk.cli.completions import complete_operation
from stellwerk.cli.following import follow
from stellwerk.cli.outcome import leave_with
from stellwerk.cli.output import emit_json, say
from stellwerk.cli.progress import show_progress

Payload = dict[str, Any]


@click.command()
@click.argument("operation", shell_complete=complete_operation)
@click.option(
    "--json", "source", metavar="JSON|@FILE|-", help="The payload; - reads it from stdin."
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="One value of the payload: JSON where it is JSON, else text. Dots reach into objects.",
)
@click.option("--tag", "tags", multiple=True, help="To find the job by; may be repeated.")
@click.option("--run-at", metavar="TIME", help="Not before; such as 2030-01-31T08:00:00Z.")
@click.option("--queue", help="The operation's, or the same with _low behind it.")
@click.option(
    "--unique-key", metavar="KEY", help="Refused while an unfinished job of yours holds the key."
)
@click.option("--idempotency-key", metavar="KEY", help="Sent again with it, it is the same job.")
@click.option("--wait", "is_waiting", is_flag=True, help="Follow the job to its end.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def submit(
    operation: str,
    source: str | None,
    assignments: tuple[str, ...],
    *,
    idempotency_key: str | None,
    output: str,
    **wanted: Any,
) -> None:
    """Submit a job of OPERATION and print its id.

    With --wait it prints the result instead, and exits like `stellwerk watch`.
    """
    is_waiting, as_json = wanted.pop("is_waiting"), output == "json"
    body = {"operation": operation, "payload": read_payload(source, assignments)}
    body |= {name: value for name, value in wanted.items() if value}
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    with connect() as api:
        accepted = api.post("/jobs", body, headers=headers)
        if is_waiting:
            say(f"accepted as {accepted['job_id']}")
            leave_with(show_progress(follow(api, accepted["job_id"])), as_json=as_json)
    if as_json:
        emit_json(accepted)
    else:
        click.echo(accepted["job_id"])


def read_payload(source: str | None, assignments: tuple[str, ...]) -> Payload:
    """The payload: `source` first, then each `key=value`; raises click.UsageError."""
    payload = _object(source) if source else {}
    for assignment in assignments:
        path, separator, value = assignment.partition("=")
        if not separator or not all(path.split(".")):
            raise click.UsageError(f"--set takes KEY=VALUE, not {assignment!r}.")
        _assign(payload, path.split("."), _typed(value))
    return payload


def _object(source: str) -> Payload:
    try:
        value = json.loads(_text(source))
    except ValueError as exc:
        raise click.UsageError(f"--json is not valid JSON: {exc}.") from exc
    if not isinstance(value, dict):
        raise click.UsageError("--json takes an object: {...}.")
    return value


def _text(source: str) -> str:
    if source == "-":
        return sys.stdin.read()
    if not source.startswith("@"):
        return source
    try:
        return Path(source[1:]).read_text(encoding="utf-8")
    except OSError as exc:
        raise click.UsageError(f"{source[1:]} cannot be read: {exc.strerror}.") from exc


def _typed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _assign(payload: Payload, path: list[str], value: Any) -> None:
    target = payload
    for name in path[:-1]:
        inner = target.setdefault(name, {})
        if not isinstance(inner, dict):
            raise click.UsageError(f"--set: {name} is no object, so nothing can be set in it.")
        target = inner
    target[path[-1]] = value
