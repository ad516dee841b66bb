"""Completes operation names and job ids by asking the platform, quickly and in silence."""

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from stellwerk.cli.api import Api, connect
from stellwerk.errors import StellwerkError

PATIENCE_S = 1.5


def complete_operation(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of operations, with their summaries."""
    del ctx, parameter
    items = _asked(lambda api: api.get("/operations"))
    return [
        CompletionItem(item["name"], help=item.get("summary"))
        for item in items
        if item["name"].startswith(incomplete)
    ]


def complete_job(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Ids of the newest jobs, with what they are."""
    del ctx, parameter
    items = _asked(lambda api: api.get("/jobs", limit=50))
    return [
        CompletionItem(item["job_id"], help=f"{item['operation']} {item['status']}")
        for item in items
        if item["job_id"].startswith(incomplete)
    ]


def _asked(question: Callable[[Api], Any]) -> list[dict[str, Any]]:
    try:
        with connect(read_s=PATIENCE_S) as api:
            return list(question(api)["items"])
    except StellwerkError:  # a shell that completes is no place for messages
        return []
