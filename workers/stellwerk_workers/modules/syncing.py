"""Reads a repository's index."""

from typing import Any

from stellwerk.jobs.context import JobContext
from stellwerk.modules import indices
from stellwerk_workers.handlers import handles


@handles("modules.sync")
def sync(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Now, however new what is known of it is."""
    repository_id = payload["repository_id"]
    changed = indices.sync(ctx.runtime, repository_id)
    with ctx.runtime.sessions() as session:
        modules = indices.repository(session, repository_id).modules
    return {"repository_id": repository_id, "modules": modules, "changed": changed}
