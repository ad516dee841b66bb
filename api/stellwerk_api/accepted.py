"""Submitting a job for a caller, and the 202 that every submitting route answers with."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields

from stellwerk.errors import FieldError, InvalidInput
from stellwerk.jobs.queries import API, links
from stellwerk.jobs.states import PublicStatus
from stellwerk.jobs.submission import Submission, submit
from stellwerk_api.auth import caller
from stellwerk_api.context import platform
from stellwerk_api.json_answers import json_answer
from stellwerk_api.observation import request_id

FIRST_LOOK_S = 1
HEADERS = ("Location", "Retry-After", "Link")  # for Blueprint.answers


class Accepted(Schema):
    """A job that is durable and will be carried out; a noun's routes add its own names."""

    job_id = fields.UUID(required=True)
    operation = fields.String(required=True)
    status = fields.Enum(PublicStatus, by_value=True, required=True)
    status_url = fields.String(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


def submit_for_caller(
    operation: str,
    payload: dict[str, Any],
    *,
    run_at: datetime | None = None,
    unique_key: str | None = None,
    tags: tuple[str, ...] = (),
    callback_url: str | None = None,
) -> UUID:
    """Submit a job that belongs to the caller; returns its id once it is durable.

    Raises NotPermitted where the caller may not submit the operation, and what
    `stellwerk.jobs.submission.submit` raises.
    """
    runtime, sender = platform().runtime, caller()
    sender.require_operation(operation, runtime.registry.get(operation).permission)
    submission = Submission(
        operation=operation,
        payload=payload,
        owner_id=sender.user_id,
        run_at=run_at,
        unique_key=unique_key,
        tags=tags,
        callback_url=callback_url,
        request_id=request_id(),
    )
    return submit(runtime, submission)


def accepted(
    job_id: UUID, operation: str, *, status: str = PublicStatus.QUEUED, **names: Any
) -> Response:
    """The 202 of a submission: where to look, when, and the noun's own `names` for the job."""
    url = f"{API}/jobs/{job_id}"
    body = {
        "job_id": str(job_id),
        "operation": operation,
        "status": status,
        "status_url": url,
        "links": links(job_id),
        **names,
    }
    headers = {
        "Location": url,
        "Retry-After": str(FIRST_LOOK_S),
        "Link": f'<{url}/events>; rel="monitor"',
    }
    return json_answer(body, 202, headers=headers)


@contextmanager
def within(field: str) -> Iterator[None]:
    """Errors about the payload name their place in the whole body."""
    try:
        yield
    except InvalidInput as exc:
        moved = [FieldError(f"{field}.{one.field}".rstrip("."), one.reason) for one in exc.errors]
        raise InvalidInput(exc.message, code=exc.code, errors=moved, details=exc.details) from exc
