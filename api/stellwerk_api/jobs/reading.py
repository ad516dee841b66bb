"""A job as its caller may see it: from Redis on the hot path, else from the ledger."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
from flask import Response, request
from sqlalchemy.orm import Session

from stellwerk.audit.actions import Action
from stellwerk.audit.trail import record_look
from stellwerk.bootstrap import Platform
from stellwerk.clock import age_s
from stellwerk.errors import Gone, NotFound
from stellwerk.jobs import queries
from stellwerk.jobs.operation import Scope
from stellwerk.jobs.remains import JobTombstone
from stellwerk.jobs.states import TERMINAL, JobStatus
from stellwerk.live.depths import QueueDepths
from stellwerk.live.status import Head, Shown
from stellwerk.privacy.service import EXPORT
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.json_answers import json_answer
from stellwerk_api.limit_headers import AS_EVENT

_LOOK_AGAIN_S = (1, 2, 5, 15)  # one further for each limit that is passed
_OLDER_THAN_S = (10, 60, 600)
_DEEPER_THAN = (100, 1_000, 5_000)  # due jobs in the queue


def seen(job_id: UUID) -> Shown:
    """The job's document, if the caller may read it; raises NotFound, or Gone for one purged."""
    here = platform()
    shown = here.live.read(job_id)
    if shown is None or shown.head is None:
        shown = _from_ledger(here, job_id)
    if shown.owner_id != caller().user_id and not _is_shared_with_caller(here, shown):
        raise unknown(job_id)
    return shown


def looked_at(job_id: UUID) -> Shown:
    """The same, put on record where it is not the caller's: for a job's logs and files."""
    shown, by = seen(job_id), caller()
    if shown.owner_id != by.user_id and by.may("jobs:read_all"):
        with platform().runtime.sessions.begin() as session:
            record_look(
                session,
                action=Action.JOB_READ,
                actor=by.user_id,
                subject_user_id=shown.owner_id,
                target=f"job:{job_id}",
            )
    return shown


def note_taken(shown: Shown, job_id: UUID) -> None:
    """Put on record that somebody took what is held of them; once an hour, whole or in ranges."""
    if shown.owner_id is None or document(shown)["operation"] != EXPORT:
        return
    with platform().runtime.sessions.begin() as session:
        record_look(
            session,
            action=Action.ACCOUNT_EXPORTED,
            actor=caller().user_id,
            subject_user_id=shown.owner_id,
            target=f"job:{job_id}",
        )


def document(shown: Shown) -> dict[str, Any]:
    """The parsed document."""
    parsed: dict[str, Any] = orjson.loads(shown.document)
    return parsed


def polled(job_id: UUID) -> Response:
    """The answer to a poll: 200, or 304 where the client has this document.

    `QuickPolls` answers most polls before they come here, with the same headers.
    """
    shown = _opened(seen(job_id), job_id)
    headers = poll_headers(shown, shown.head, job_id, QueueDepths(platform().live_client).of)
    if request.if_none_match.contains_weak(shown.tag):
        return Response(status=304, headers=headers)
    return json_answer(shown.document, headers=headers)


def poll_headers(
    shown: Shown, head: Head | None, job_id: UUID | str, depth_of: Callable[[str], int]
) -> dict[str, str]:
    """What a poll's answer says of itself; `depth_of` tells how many jobs are due in a queue."""
    headers = {"ETag": f'"{shown.tag}"', "Cache-Control": "private, no-cache"}
    if head and head.status not in TERMINAL:
        depth = depth_of(head.queue) if head.status == JobStatus.QUEUED else 0
        headers["Retry-After"] = str(look_again_s(age_s(job_id), depth))
    return headers


def look_again_s(age: float, depth: int) -> int:
    """Seconds until the next look: more for older jobs, and for those in a long queue."""
    by_age = sum(age >= limit_s for limit_s in _OLDER_THAN_S)
    by_depth = sum(depth >= limit for limit in _DEEPER_THAN)
    return _LOOK_AGAIN_S[max(by_age, by_depth)]


def unknown(job_id: UUID) -> NotFound:
    """The refusal of a job that does not exist or is not the caller's to see."""
    return NotFound(f"There is no job {job_id}.")


def _from_ledger(here: Platform, job_id: UUID) -> Shown:
    with here.runtime.sessions() as session:
        try:
            change = queries.change(session, here.runtime.registry, job_id)
        except Gone:
            _refuse_anothers_tombstone(session, job_id)
            raise
    here.live.fill(change)
    return Shown(change.version, change.owner_id, orjson.dumps(change.document))


def _opened(shown: Shown, job_id: UUID) -> Shown:
    """What an ended sensitive job came to is hidden from everybody but its owner, and in events."""
    is_masked = shown.owner_id != caller().user_id or AS_EVENT in request.headers
    if shown.head is not None or is_masked:
        return shown
    runtime = platform().runtime
    with runtime.sessions() as session:
        whole = queries.unsealed(session, runtime.registry, runtime.vault, job_id)
    return replace(shown, document=orjson.dumps(whole))


def _refuse_anothers_tombstone(session: Session, job_id: UUID) -> None:
    tombstone = session.get_one(JobTombstone, job_id)
    if tombstone.owner_id != caller().user_id and not caller().may("jobs:read_all"):
        raise unknown(job_id)


def _is_shared_with_caller(here: Platform, shown: Shown) -> bool:
    if caller().may("jobs:read_all"):
        return True
    name = document(shown)["operation"]
    if name not in here.runtime.registry:
        return False
    operation = here.runtime.registry.get(name)
    return operation.scope is Scope.SHARED and caller().may(operation.permission)
