"""Lists about jobs."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record_look
from stellwerk.clock import rfc3339
from stellwerk.jobs import queries
from stellwerk.jobs.lists import JobFilter
from stellwerk.jobs.model import JobLog
from stellwerk.jobs.sealing import is_sealed, masked, unseal
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.pagination import page, uuid_cursor


def listed(query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of jobs: the caller's, or everybody's for those who may."""
    if query["everybodys"]:
        caller().require("jobs:read_all")
    runtime = platform().runtime
    shows_all = query["everybodys"] or query["operation"]
    wanted = JobFilter(
        owner_id=None if query["everybodys"] else caller().user_id,
        statuses=query["status"],
        operation=query["operation"],
        left_out=() if shows_all else sorted(runtime.registry.internal),
        tag=query["tag"],
        error_code=query["error_code"],
        only_dead=query["dead"],
        created_from=query["created_from"],
        created_to=query["created_to"],
        after=uuid_cursor(query["cursor"]),
        limit=query["limit"] + 1,
    )
    with runtime.sessions.begin() as session:
        found = queries.documents(session, runtime.registry, wanted)
        if query["everybodys"]:
            _note_look(session)
    return page(found, query["limit"], "job_id")


def _note_look(session: Session) -> None:
    record_look(
        session, action=Action.JOBS_LISTED, actor=caller().user_id, target="jobs:everybodys"
    )


def born(job_id: UUID, query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of a job's children."""
    wanted = JobFilter(
        parent_id=job_id,
        statuses=query["status"],
        after=uuid_cursor(query["cursor"]),
        limit=query["limit"] + 1,
    )
    runtime = platform().runtime
    with runtime.sessions() as session:
        found = queries.documents(session, runtime.registry, wanted)
    return page(found, query["limit"], "job_id")


def logged(job_id: UUID, query: Mapping[str, Any], *, is_own: bool) -> dict[str, Any]:
    """Lines of a job's log after the one with the id `after`; sealed ones are their owner's."""
    with platform().runtime.sessions() as session:
        lines = queries.logs(session, job_id, after_id=query["after"], limit=query["limit"])
    items = [
        {
            "id": line.id,
            "at": rfc3339(line.at),
            "attempt": line.attempt,
            "level": line.level,
            **_told(line, is_own=is_own),
        }
        for line in lines
    ]
    return {"items": items, "next_after": items[-1]["id"] if items else query["after"]}


def _told(line: JobLog, *, is_own: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"message": line.message, "fields": masked(line.fields)}
    if is_own and is_sealed(line.fields):
        told = unseal(platform().runtime.vault, line.job_id, line.fields)
    return told
