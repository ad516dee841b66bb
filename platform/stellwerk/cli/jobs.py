"""`stellwerk jobs`, `watch`, `cancel`, `retry` and `logs`."""

import time
from collections.abc import Iterator
from typing import Any

import click

from stellwerk.cli.api import Api, connect
from stellwerk.cli.completions import complete_operation
from stellwerk.cli.following import FINAL, POLL_S, follow
from stellwerk.cli.job_actions import act, job_argument, resolve, signal
from stellwerk.cli.outcome import leave_with
from stellwerk.cli.output import emit_json, emit_table, json_option
from stellwerk.cli.progress import show_progress
from stellwerk.cli.requeue import dead, requeue
from stellwerk.jobs.states import PublicStatus

PAGE = 200
COLUMNS = ("job_id", "operation", "status", "progress", "created_at", "message")


@click.group(invoke_without_command=True)
@click.option("--status", type=click.Choice([status.value for status in PublicStatus]))
@click.option("--operation", shell_complete=complete_operation)
@click.option("--tag")
@click.option("--error-code", help="Failed jobs with this code, such as EFFECT_UNCERTAIN.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True)
@json_option
@click.pass_context
def jobs(context: click.Context, /, *, limit: int, as_json: bool, **wanted: str | None) -> None:
    """List your jobs, newest first, or tell one of them something."""
    if context.invoked_subcommand is not None:
        return
    with connect() as api:
        found = list(_listed(api, "/jobs", limit, **wanted))
    if as_json:
        emit_json(found)
    else:
        emit_table(found, COLUMNS)


@jobs.command()
@job_argument
@click.option("--status", type=click.Choice([status.value for status in PublicStatus]))
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True)
@json_option
def children(job_id: str, *, status: str | None, limit: int, as_json: bool) -> None:
    """List the jobs that were made for a job, newest first."""
    with connect() as api:
        found = list(_listed(api, f"/jobs/{job_id}/children", limit, status=status))
    if as_json:
        emit_json(found)
    else:
        emit_table(found, COLUMNS)


for command in (signal, resolve, dead, requeue):
    jobs.add_command(command)


@click.command()
@job_argument
@json_option
def watch(job_id: str, *, as_json: bool) -> None:
    """Follow a job to its end; exits with 0 completed, 1 failed, 6 cancelled.

    With --json every change is a line with the whole job.
    """
    with connect() as api:
        documents = follow(api, job_id)
        if not as_json:
            leave_with(show_progress(documents), as_json=False)
        for document in documents:
            emit_json(document)
            if document["status"] in FINAL:
                leave_with(document, as_json=True)


@click.command()
@job_argument
@json_option
def cancel(job_id: str, *, as_json: bool) -> None:
    """Cancel a job; one that runs stops within moments."""
    act(job_id, "cancel", as_json=as_json)


@click.command()
@job_argument
@json_option
def retry(job_id: str, *, as_json: bool) -> None:
    """Run a failed or cancelled job again; steps that were done are not run again."""
    act(job_id, "retry", as_json=as_json)


@click.command()
@job_argument
@click.option("--follow", "is_following", is_flag=True, help="Go on until the job has ended.")
@json_option
def logs(job_id: str, *, is_following: bool, as_json: bool) -> None:
    """Show what a job's handler logged; with --json one line of JSON per entry."""
    with connect() as api:
        for entry in _log_entries(api, job_id, is_following=is_following):
            if as_json:
                emit_json(entry)
            else:
                click.echo(f"{entry['at']} {entry['level']:<7} {entry['message']}")


def _listed(api: Api, path: str, limit: int, **wanted: Any) -> Iterator[dict[str, Any]]:
    cursor = None
    while limit > 0:
        page = api.get(path, **wanted, limit=min(limit, PAGE), cursor=cursor)
        yield from page["items"]
        limit -= len(page["items"])
        cursor = page["next_cursor"]
        if not cursor:
            return


def _log_entries(api: Api, job_id: str, *, is_following: bool) -> Iterator[dict[str, Any]]:
    after = 0
    while True:
        has_ended = api.get(f"/jobs/{job_id}")["status"] in FINAL  # asked first: no line is missed
        while page := api.get(f"/jobs/{job_id}/logs", after=after, limit=PAGE)["items"]:
            yield from page
            after = page[-1]["id"]
        if has_ended or not is_following:
            return
        time.sleep(POLL_S)
