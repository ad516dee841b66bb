"""What a command leaves with once the job it waited for has ended."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click

from stellwerk.cli.output import emit_json, say
from stellwerk.cli.progress import step_time

JOB_FAILED = 1
JOB_CANCELLED = 6
EXIT_CODES: Mapping[str, int] = MappingProxyType(
    {"completed": 0, "failed": JOB_FAILED, "cancelled": JOB_CANCELLED}
)


def leave_with(document: dict[str, Any], *, as_json: bool) -> None:
    """Report a finished job and exit: 0 completed, 1 failed, 6 cancelled."""
    status = document["status"]
    if as_json:
        emit_json(document)
    else:
        _report(document)
    click.get_current_context().exit(EXIT_CODES[status])


def _report(document: dict[str, Any]) -> None:
    say(f"{document['operation']} {document['job_id']}: {document['status']}")
    for step in document["steps"]:
        say(f"  {step['name']:<20} {step['status']:<10} {step_time(step):>9}")
    error = document["error"]
    if error:
        say(f"  {error['code']}: {error['message']}")
    if document["result"] is not None:
        emit_json(document["result"])
