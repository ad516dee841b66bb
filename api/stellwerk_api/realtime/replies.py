"""Answers: Flask's, handed on, and the error envelope for what Flask could not answer."""

import http
from typing import Any

import httpx
from starlette.datastructures import Headers
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
from stellwerk_api.own_headers import REQUEST_ID, SECURITY, well_formed_id
from stellwerk_api.problems import PROBLEM, as_problem, prefers_problem
from stellwerk_api.realtime.metrics import count_error
from stellwerk_api.realtime.refusals import STATUS, details_of

_MADE_ANEW = frozenset(
    b"connection keep-alive transfer-encoding upgrade trailer date server".split()
)
_COUNTED = "stellwerk.counted"  # in the scope of a request: what web said of its limits
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
    headers = own_headers(request.scope)
    if error.retry_after_s:
        headers["Retry-After"] = str(round(error.retry_after_s))
    status = _status(error)
    if status == http.HTTPStatus.UNAUTHORIZED:  # RFC 9110, 11.6.1
        headers["WWW-Authenticate"] = "Bearer"
    headers["Vary"] = "Accept"
    said = _envelope(error, headers[REQUEST_ID])
    if prefers_problem(request.headers.get("accept", "")):
        return JSONResponse(as_problem(status, said), status, headers, PROBLEM)
    return JSONResponse({"error": said}, status, headers)


def identified(scope: Scope) -> str:
    """The id of a request, put into its headers where there is none that can be used."""
    given = Headers(scope=scope).get(REQUEST_ID, "")
    request_id = well_formed_id(given)
    if request_id != given:
        name = REQUEST_ID.lower().encode()
        kept = [pair for pair in scope["headers"] if pair[0] != name]
        scope["headers"] = [*kept, (name, request_id.encode())]
    return request_id


def note_limits(scope: Scope, response: httpx.Response) -> None:
    """Have this process's own answer to a request tell of the limits that web counted it in."""
    scope[_COUNTED] = {name: response.headers[name] for name in LIMITS if name in response.headers}


def own_headers(scope: Scope) -> dict[str, str]:
    """What every answer has that is not Flask's; `identified` gave the request its id."""
    request_id = Headers(scope=scope).get(REQUEST_ID, "")
    return {**SECURITY, REQUEST_ID: request_id, **scope.get(_COUNTED, {})}


def _envelope(error: StellwerkError, request_id: str) -> dict[str, Any]:
    return {
        "code": error.code,
        "message": error.message,
        "details": details_of(error),
        "timestamp": rfc3339(utc_now()),
        "request_id": request_id,
    }


def _status(error: StellwerkError) -> int:
    if isinstance(error, ApiRefused):
        return int(error.details[STATUS])
    default = 500 if error.code is ErrorCode.INTERNAL_ERROR else 422
    return _STATUSES.get(type(error), default)


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
