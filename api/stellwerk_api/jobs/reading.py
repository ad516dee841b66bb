"""A job as its caller may see it: from Redis on the hot path, else from the ledger."""

from typing import Any
from uuid import UUID

import orjson
from flask import Response, request
from sqlalchemy.orm import Session

from stellwerk.bootstrap import Platform
from stellwerk.clock import age_s
from stellwerk.errors import Gone, NotFound
from stellwerk.jobs import queries
from stellwerk.jobs.model import JobTombstone
from stellwerk.jobs.operation import Scope
from stellwerk.jobs.states import TERMINAL
from stellwerk.live.status import Shown
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.json_answers import json_answer

_LOOK_AGAIN_S = ((10, 1), (60, 2), (600, 5))  # up to this age, in seconds: look again after
_LOOK_AGAIN_LATE_S = 15


def seen(job_id: UUID) -> Shown:
    """The job's document, if the caller may read it; raises NotFound, or Gone for one purged."""
    here = platform()
    shown = here.live.read(job_id) or _from_ledger(here, job_id)
    if shown.owner_id != caller().user_id and not _is_shared_with_caller(here, shown):
        raise unknown(job_id)
    return shown


def document(shown: Shown) -> dict[str, Any]:
    """The parsed document."""
    parsed: dict[str, Any] = orjson.loads(shown.document)
    return parsed


def polled(job_id: UUID) -> Response:
    """The answer to a poll: 200, or 304 where the client has this version."""
    shown = seen(job_id)
    etag = f'"{shown.version}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if document(shown)["status"] not in TERMINAL:
        headers["Retry-After"] = str(_look_again_s(job_id))
    if request.if_none_match.contains_weak(str(shown.version)):
        return Response(status=304, headers=headers)
    return json_answer(shown.document, headers=headers)


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


def _look_again_s(job_id: UUID) -> int:
    """Longer the older the job is; its id tells when it was made."""
    age = age_s(job_id)
    return next((wait_s for up_to_s, wait_s in _LOOK_AGAIN_S if age < up_to_s), _LOOK_AGAIN_LATE_S)
