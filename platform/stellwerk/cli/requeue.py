"""`stellwerk jobs dead` and `stellwerk jobs requeue`, for operators."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from stellwerk.cli.api import Api, connect
from stellwerk.cli.completions import complete_operation
from stellwerk.cli.output import emit_json, emit_table, json_option, say

PAGE = 200
COLUMNS = ("job_id", "operation", "attempt", "finished_at", "code", "message")

_operation = click.option("--operation", shell_complete=complete_operation)
_error_code = click.option("--error-code", help="Such as PROVIDER_UNAVAILABLE.")
_limit = click.option("--limit", type=click.IntRange(1), default=100, show_default=True)


@click.command()
@_operation
@_error_code
@_limit
@json_option
def dead(*, limit: int, as_json: bool, **wanted: str | None) -> None:
    """List everybody's failed jobs that used up their attempts, newest first."""
    with connect() as api:
        found = list(_dead(api, limit, wanted))
    if as_json:
        emit_json(found)
    else:
        emit_table([{**job, **(job["error"] or {})} for job in found], COLUMNS)


@click.command()
@_operation
@_error_code
@click.option("--status", type=click.Choice(["failed", "cancelled"]), default="failed")
@click.option("--dead", is_flag=True, help="Only those that used up their attempts.")
@click.option("--owner", "owner_id", type=int, help="A user's id.")
@click.option("--queue")
@click.option("--from", "ended_from", type=click.DateTime(), help="Ended since then (UTC).")
@click.option("--to", "ended_to", type=click.DateTime(), help="Ended before then (UTC).")
@click.option("--tag", "tags", multiple=True)
@_limit
@click.option("--dry-run", is_flag=True, help="Only say which they would be.")
@json_option
def requeue(*, limit: int, as_json: bool, **body: Any) -> None:
    """Queue ended jobs again, the oldest first; steps that were done are not run again."""
    body |= {"from": _utc(body.pop("ended_from")), "to": _utc(body.pop("ended_to"))}
    with connect() as api:
        pages = list(_pages(api, limit, body))
    job_ids = [job_id for page in pages for job_id in page["job_ids"]]
    refused = [refusal for page in pages for refusal in page["refused"]]
    if as_json:
        emit_json({"dry_run": body["dry_run"], "job_ids": job_ids, "refused": refused})
        return
    for job_id in job_ids:
        click.echo(job_id)
    for refusal in refused:
        say(f"{refusal['job_id']}: {refusal['code']}: {refusal['message']}")
    say(f"{len(job_ids)} jobs {'would be ' if body['dry_run'] else ''}queued again.")


def _dead(api: Api, limit: int, wanted: dict[str, str | None]) -> Iterator[dict[str, Any]]:
    cursor = None
    while limit > 0:
        query = {**wanted, "dead": True, "all": True, "limit": min(limit, PAGE), "cursor": cursor}
        page = api.get("/jobs", **query)
        yield from page["items"]
        limit -= len(page["items"])
        cursor = page["next_cursor"]
        if not cursor:
            return


def _pages(api: Api, limit: int, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    after = None
    while limit > 0:
        page = api.post("/jobs/requeue", {**body, "limit": min(limit, PAGE), "after": after})
        yield page
        limit -= page["number"] + len(page["refused"])
        after = page["next_after"]
        if not after:
            return


def _utc(moment: datetime | None) -> str | None:
    return moment.replace(tzinfo=UTC).isoformat() if moment else None
