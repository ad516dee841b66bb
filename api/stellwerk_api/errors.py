"""Every failure as the one envelope: our errors, the framework's, and what nobody expected."""

from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response, request
from marshmallow import Schema, fields
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from stellwerk import errors
from stellwerk.clock import rfc3339, utc_now
from stellwerk.errors import ErrorCode, InvalidInput, StellwerkError, Unavailable
from stellwerk_api.json_answers import ApiResponse, as_json
from stellwerk_api.metrics import count_error
from stellwerk_api.observation import request_id
from stellwerk_api.problems import PROBLEM, as_problem, prefers_problem

OUTAGE_RETRY_AFTER_S = 2

STATUS: Mapping[type[StellwerkError], int] = {
    errors.MalformedRequest: 400,
    errors.NotAuthenticated: 401,
    errors.PaymentRequired: 402,
    errors.NotPermitted: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.InvalidInput: 422,
    errors.ProviderRejected: 422,
    errors.UpgradeRequired: 426,
    errors.LimitReached: 429,
    errors.Unavailable: 503,
    errors.ProviderError: 503,
    errors.StellwerkError: 500,
}

# The framework's refusals: our code, and words that tell what to do.
FRAMEWORK: Mapping[int, tuple[ErrorCode, str]] = {
    400: (ErrorCode.MALFORMED_REQUEST, "The request cannot be read."),
    404: (ErrorCode.NOT_FOUND, "There is nothing here. GET /api/v1/ lists what there is."),
    405: (ErrorCode.METHOD_NOT_ALLOWED, "The resource has no such method; see Allow."),
    406: (ErrorCode.NOT_ACCEPTABLE, "There is no such representation."),
    413: (ErrorCode.PAYLOAD_TOO_LARGE, "The body is larger than 1 MiB."),
    415: (ErrorCode.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json."),
    414: (ErrorCode.URI_TOO_LONG, "The address is longer than 16 KiB."),
    431: (ErrorCode.HEADERS_TOO_LARGE, "The headers are larger than 32 KiB."),
    416: (ErrorCode.RANGE_NOT_SATISFIABLE, "The range lies outside the file; see Content-Range."),
}

log = structlog.get_logger()


class ErrorBody(Schema):
    """What went wrong."""

    code = fields.Enum(ErrorCode, by_value=True, required=True)
    message = fields.String(required=True)
    details = fields.Dict(
        required=True,
        metadata={"description": "`field`, `reason` and `errors: [{field, reason}]` of a 422."},
    )
    timestamp = fields.String(required=True, metadata={"format": "date-time"})
    request_id = fields.String(required=True)


class ErrorEnvelope(Schema):
    """Every error looks like this."""

    error = fields.Nested(ErrorBody, required=True)


def handle_errors(app: Flask) -> None:
    """Register the handlers; the most specific one wins."""
    app.register_error_handler(StellwerkError, refused)
    app.register_error_handler(HTTPException, refused_by_framework)
    app.register_error_handler(DataError, unstorable)
    for outage in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(outage, database_gone)
    app.register_error_handler(DBAPIError, database_failed)
    app.register_error_handler(Exception, unexpected)


def status_of(error: StellwerkError) -> int:
    """The HTTP status of one of our errors."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def refused(error: StellwerkError) -> Response:
    """One of our own errors."""
    status = status_of(error)
    if status == 500:  # noqa: PLR2004  internal
        return unexpected(error)
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    if status == 401:  # noqa: PLR2004  RFC 9110, 11.6.1
        headers["WWW-Authenticate"] = "Bearer"
    if status == 426:  # noqa: PLR2004  RFC 9110, 15.5.22
        headers["Upgrade"] = "websocket"
    return envelope(status, error.code, error.message, _details(error), headers)


def refused_by_framework(error: HTTPException) -> Response:
    """Flask's or Werkzeug's refusal; its headers are kept (Allow, Content-Range)."""
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    known = FRAMEWORK.get(status)
    if known is None:
        code = ErrorCode.INTERNAL_ERROR if status >= 500 else ErrorCode.MALFORMED_REQUEST  # noqa: PLR2004  server errors
        known = code, HTTP_STATUS_CODES.get(status, "Unknown")
    is_ours = error.description and error.description != type(error).description
    message = str(error.description) if is_ours else known[1]
    return envelope(status, known[0], message, {}, headers)


def unstorable(error: DataError) -> Response:
    """A value that passed the schema and that Postgres refuses: mended by its sender."""
    log.warning("value refused by postgres", reason=str(error.orig))
    return refused(InvalidInput("A value is out of range or not storable."))


def database_gone(error: Exception) -> Response:
    """Postgres does not answer."""
    log.warning("postgres does not answer", reason=str(error).splitlines()[0])
    message = "The ledger does not answer at this moment. Send the request again."
    return refused(Unavailable(message, retry_after_s=OUTAGE_RETRY_AFTER_S))


def database_failed(error: DBAPIError) -> Response:
    """A connection that broke in an unusual way, or a bug in a statement."""
    return database_gone(error) if error.connection_invalidated else unexpected(error)


def unexpected(error: Exception) -> Response:
    """Nobody expected it: the log has it all, the answer nothing but the request's id."""
    log.error("request failed", exc_info=error)
    message = "The platform failed. Quote the request_id when you report this."
    return envelope(500, ErrorCode.INTERNAL_ERROR, message, {}, {})


def envelope(
    status: int,
    code: ErrorCode,
    message: str,
    details: Mapping[str, Any],
    headers: Mapping[str, str],
) -> Response:
    """The answer, in RFC 9457's form where the client accepts it; counted by its code."""
    count_error(code.value)
    said = {
        "code": code.value,
        "message": message,
        "details": details,
        "timestamp": rfc3339(utc_now()),
        "request_id": request_id(),
    }
    vary = {"Vary": "Accept", **headers}
    if prefers_problem(request.headers.get("Accept", "")):
        return ApiResponse(as_json(as_problem(status, said)), status, vary, PROBLEM)
    return ApiResponse(as_json({"error": said}), status, vary)


def _details(error: StellwerkError) -> dict[str, Any]:
    found = [{"field": one.field, "reason": one.reason} for one in error.errors]
    return {**error.details, **found[0], "errors": found} if found else error.details
