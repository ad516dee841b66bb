"""Submitting a job for a caller, and the 202 that every submitting route answers with."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields

from stellwerk.errors import ErrorCode, FieldError, InvalidInput, MalformedRequest
from stellwerk.jobs import queries
from stellwerk.jobs.idempotency import Replayed, is_repeat
from stellwerk.jobs.queries import API, links
from stellwerk.jobs.states import PublicStatus
from stellwerk.jobs.submission import Submission, submit
from stellwerk_api.aliases import own_status_url
from stellwerk_api.auth import caller, credentials
from stellwerk_api.context import platform
from stellwerk_api.idempotency import HEADER, REPLAYED, is_replayed, once, replay, replayed
from stellwerk_api.json_answers import json_answer
from stellwerk_api.limits import note
from stellwerk_api.observation import request_id

FIRST_LOOK_S = 1
HEADERS = ("Location", "Retry-After", "Link", REPLAYED)  # for Blueprint.answers


class Accepted(Schema):
    """A job that is durable and will be carried out; a noun's routes add its own names."""

    job_id = fields.UUID(required=True)
    operation = fields.String(required=True)
    status = fields.Enum(PublicStatus, by_value=True, required=True)
    status_url = fields.String(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


def submit_for_caller(operation: str, payload: dict[str, Any], **wanted: Any) -> UUID:
    """Submit a job that belongs to the caller; returns its id once it is durable.

    `wanted`: further fields of `Submission`. A request that repeats an earlier one gives the
    earlier one's job. Raises NotPermitted where the caller may not submit the operation, and
    what `stellwerk.jobs.submission.submit` raises.
    """
    require_submittable({operation: 1})
    submission = Submission(
        operation, payload, caller().user_id, once=once(), request_id=request_id(), **wanted
    )
    try:
        return submit(platform().runtime, submission)
    except Replayed as exc:
        return replay(exc)[0]


def require_submittable(operations: Mapping[str, int]) -> None:
    """Let so many jobs of each operation pass, counted where it has a limit of its own.

    Raises NotFound, NotPermitted, MalformedRequest (IDEMPOTENCY_KEY_REQUIRED), LimitReached,
    Unavailable, and InvalidInput for more jobs than the limit ever allows.
    """
    registry, sender = platform().runtime.registry, caller()
    for operation in map(registry.get, operations):
        sender.require_operation(operation.name, operation.permission)
        if operation.requires_idempotency_key and sender.key_id and once() is None:
            message = f"API keys submit {operation.name} with an {HEADER} only."
            raise MalformedRequest(message, code=ErrorCode.IDEMPOTENCY_KEY_REQUIRED)
    for name, number in operations.items():
        count_operation(name, number)


def count_operation(name: str, number: int = 1) -> None:
    """Count jobs that the caller asks for, where the operation has a limit of its own.

    A request that was carried out before asks for none. Raises LimitReached, Unavailable, and
    InvalidInput for more than the limit ever allows.
    """
    rate_class = platform().runtime.registry.get(name).rate_class
    if rate_class and not _is_repeat():
        note(credentials().limiter.count(rate_class, caller(), number))


def _is_repeat() -> bool:
    request_once = once()
    if request_once is None:
        return False
    with platform().runtime.sessions() as session:
        return is_repeat(session, request_once)


def accepted(
    job_id: UUID, operation: str, *, status: str = PublicStatus.QUEUED, **names: Any
) -> Response:
    """The 202 of a submission: where to look, when, and the noun's own `names` for the job.

    `status_url` among them is where its noun is looked at.
    """
    status = present_status(job_id) if replayed() else status
    body, headers = acceptance(job_id, operation, status, names)
    body["status_url"] = headers["Location"] = own_status_url(body) or body["status_url"]
    return json_answer(body, 202, headers=headers | replay_header())


def acceptance(
    job_id: UUID, operation: str, status: str, names: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Body and headers of the 202."""
    url = f"{API}/jobs/{job_id}"
    body = {
        "job_id": str(job_id),
        "operation": operation,
        "status": status,
        "status_url": url,
        "links": links(job_id, status=PublicStatus(status)),
        **names,
    }
    headers = {
        "Location": url,
        "Retry-After": str(FIRST_LOOK_S),
        "Link": f'<{url}/events>; rel="monitor"',
    }
    return body, headers


def present_status(job_id: UUID) -> str:
    """The status the ledger has now; raises NotFound, Gone."""
    runtime = platform().runtime
    with runtime.sessions() as session:
        return str(queries.change(session, runtime.registry, job_id).document["status"])


def replay_header() -> dict[str, str]:
    """Says that the answer is to an earlier request."""
    return {REPLAYED: "true"} if is_replayed() else {}


@contextmanager
def within(field: str) -> Iterator[None]:
    """Errors about the payload name their place in the whole body."""
    try:
        yield
    except InvalidInput as exc:
        if not exc.errors:
            raise
        moved = [FieldError(f"{field}.{one.field}".rstrip("."), one.reason) for one in exc.errors]
        raise InvalidInput(exc.message, code=exc.code, errors=moved, details=exc.details) from exc
