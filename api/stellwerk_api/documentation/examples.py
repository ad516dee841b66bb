"""Examples of answers in the OpenAPI document: of each refusal, and of a job."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from stellwerk_api.errors import FRAMEWORK, STATUS

_AT = "2026-01-31T12:00:00.000Z"
_REQUEST_ID = "0192d3a4-0000-7000-8000-000000000001"
_WRONG_FIELD = {"field": "payload.message", "reason": "Not a valid string."}

JOB_ID = "0192d3a4-0000-7000-8000-000000000002"
JOB = {
    "job_id": JOB_ID,
    "operation": "diagnostics.echo",
    "status": "completed",
    "queue": "short",
    "progress": 100,
    "message": "",
    "steps": [],
    "attempt": 1,
    "failures": 0,
    "max_attempts": 5,
    "created_at": _AT,
    "run_at": _AT,
    "started_at": _AT,
    "finished_at": _AT,
    "estimated_completion_at": None,
    "result": {"message": "hello", "data": None},
    "error": None,
    "cost": 0.0,
    "simulated": False,
    "tags": ["trial"],
    "artifacts": [],
    "links": {"self": f"/api/v1/jobs/{JOB_ID}", "events": f"/api/v1/jobs/{JOB_ID}/events"},
}


def add_error_examples(document: dict[str, Any]) -> None:
    """Put an envelope beside the schema of every refusal."""
    responses = document["components"]["responses"]
    for name, envelope in _envelopes():
        if name in responses:
            responses[name]["content"]["application/json"]["example"] = envelope


def _envelopes() -> Iterator[tuple[str, Mapping[str, Any]]]:
    codes = {status: kind.code for kind, status in reversed(list(STATUS.items()))}
    codes = {status: code for status, (code, _) in FRAMEWORK.items()} | codes
    for status, code in codes.items():
        is_invalid = status == HTTPStatus.UNPROCESSABLE_ENTITY
        error = {
            "code": code.value,
            "message": "What is wrong, and what can be done about it.",
            "details": {**_WRONG_FIELD, "errors": [_WRONG_FIELD]} if is_invalid else {},
            "timestamp": _AT,
            "request_id": _REQUEST_ID,
        }
        yield HTTPStatus(status).name, {"error": error}
