"""Answers: Flask's, handed on, and the error envelope for what Flask could not answer."""

import http
import re
import uuid
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from stellwerk.clock import rfc3339, utc_now
from stellwerk.errors import (
    ApiRefused,
    ErrorCode,
    LimitReached,
    MalformedRequest,
    NotAuthenticated,
    StellwerkError,
    Unavailable,
)
from stellwerk_api.limit_headers import HEADERS as LIMITS
from stellwerk_api.problems import PROBLEM, as_problem, prefers_problem
from stellwerk_api.realtime.metrics import count_error

_MADE_ANEW = frozenset(
    b"connection keep-alive transfer-encoding upgrade trailer date server".split()
)
_CARRIED_OVER = (
    "x-request-id",
    "x-content-type-options",
    "referrer-policy",
    "x-frame-options",
    "content-security-policy",
    *(name.lower() for name in LIMITS),
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_STATUSES: dict[type[StellwerkError], int] = {
    MalformedRequest: 400,
    NotAuthenticated: 401,
    LimitReached: 429,
    Unavailable: 503,
}  # else 422


def handed_on(response: httpx.Response, **headers: str) -> Response:
    """An answer whose body was read, with `headers` (underscores for hyphens) added."""
    answer = Response(response.content, status_code=response.status_code)
    answer.raw_headers = _kept(response)
    for name, value in headers.items():
        answer.headers[name.replace("_", "-")] = value
    return answer


def streamed_on(response: httpx.Response) -> Response:
    """An answer whose body was not read."""
    answer = _Streamed(response.aiter_raw(), status_code=response.status_code)
    answer.raw_headers = _kept(response)
    answer.source = response
    return answer


async def error_reply(request: Request, error: Exception) -> Response:
    """The error envelope of the API, for an error of this process; counted."""
    if not isinstance(error, StellwerkError):
        error = StellwerkError("The platform failed. Quote the request_id when you report this.")
    count_error(error.code)
    headers = own_headers(request)
    if error.retry_after_s:
        headers["Retry-After"] = str(round(error.retry_after_s))
    status = _status(error)
    if status == http.HTTPStatus.UNAUTHORIZED:  # RFC 9110, 11.6.1
        headers["WWW-Authenticate"] = "Bearer"
    headers["Vary"] = "Accept"
    said = _envelope(error, headers["X-Request-ID"])
    if prefers_problem(request.headers.get("accept", "")):
        return JSONResponse(as_problem(status, said), status, headers, PROBLEM)
    return JSONResponse({"error": said}, status, headers)


def own_headers(request: Request) -> dict[str, str]:
    """What every answer has that is not Flask's."""
    given_id = request.headers.get("x-request-id", "")
    return {
        "X-Request-ID": given_id if _REQUEST_ID.fullmatch(given_id) else str(uuid.uuid4()),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def _envelope(error: StellwerkError, request_id: str) -> dict[str, Any]:
    errors = [{"field": item.field, "reason": item.reason} for item in error.errors]
    return {
        "code": error.code,
        "message": error.message,
        "details": {**errors[0], "errors": errors} if errors else error.details,
        "timestamp": rfc3339(utc_now()),
        "request_id": request_id,
    }


def _status(error: StellwerkError) -> int:
    if isinstance(error, ApiRefused):
        return int(error.details["status"])
    default = 500 if error.code is ErrorCode.INTERNAL_ERROR else 422
    return _STATUSES.get(type(error), default)


def carried_over(response: httpx.Response) -> dict[str, str]:
    """The request's id, its limits and the security headers of Flask's answer, for our own."""
    return {name: response.headers[name] for name in _CARRIED_OVER if name in response.headers}


class _Streamed(StreamingResponse):
    """Gives the connection it reads from back, however it ends."""

    source: httpx.Response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.source.aclose()


def _kept(response: httpx.Response) -> list[tuple[bytes, bytes]]:
    raw = [(name.lower(), value) for name, value in response.headers.raw]
    return [pair for pair in raw if pair[0] not in _MADE_ANEW]
